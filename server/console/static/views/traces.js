// Requests that were answered, and of one of them everything that happened.
import { html } from '../lib/html.js';
import { get, query } from '../lib/api.js';
import { useData, usePages } from '../lib/data.js';
import { ago, clip, compact, count, number, percent, seconds, when } from '../lib/format.js';
import { settle, to } from '../lib/router.js';
import { meaning, STOPS, STRATEGIES } from '../lib/words.js';
import { Badge, Button, Card, Empty, Facts, Field, Loaded, Loading, More, Page, Problem, Stat, Stats, Table, Words } from '../lib/ui.js';
import { Samples } from './samples.js';
import { Neighbours } from './neighbours.js';
import { Learned, Price, Saved, Steps, Verification, VersionLink, Vote } from './trace_parts.js';
import { Course } from './course.js';
import { Lineage } from './lineage.js';
import { Verdict } from './verdict.js';

/** Characters of a question that stand below the heading. */
const LEAD = 240;
const COLUMNS = [
  { name: 'Question', wide: true, cell: (t) => html`<a class="clamped" href=${to('traces', t.id)}>${clip(t.question) || t.id}</a>` },
  { name: 'Answer', free: true, cell: (t) => html`<span class="mono">${clip(t.answer, 40) || '–'}</span>` },
  { name: 'Strategy', cell: (t) => html`<${Badge} as="plain">${t.strategy}<//>` },
  { name: 'Stopped', cell: (t) => html`<${Badge}>${t.stop_reason}<//>` },
  { name: 'Agreement', numeric: true, cell: (t) => percent(t.agreement) },
  { name: 'Samples', numeric: true, cell: (t) => count(t.samples?.started) },
  { name: 'Tokens', numeric: true, cell: (t) => compact(generated(t.tokens)) },
  { name: 'Time', numeric: true, cell: (t) => seconds(t.seconds) },
  { name: 'Asked', cell: (t) => html`<time title=${when(t.asked_at)}>${ago(t.asked_at)}</time>` },
];

/** Tokens that the engine generated; what was trained on is another matter. */
export const generated = (tokens) => tokens && tokens.returned + tokens.losing + tokens.cancelled;

export function Traces({ place, me }) {
  const strategy = place.search.get('strategy') ?? '';
  const pages = usePages(
    (after, signal) => get(query('/v1/traces', { limit: 50, after, strategy }), { signal }),
    [strategy],
  );
  const choose = (event) => settle(to('traces', '', { strategy: event.target.value }));
  return html`
    <${Page} title="Traces" lead="What was asked, what was answered, and what it took. A trace shows every sample and every vote."
      actions=${html`<${Button} onClick=${pages.reload}>Refresh<//>`}>
      <div class="filters">
        <${Field} label="Strategy" inline>
          <select value=${strategy} onChange=${choose}>
            <option value="">all</option>
            ${me.strategies.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
          </select>
        <//>
        ${pages.rows?.length > 0 && html`<${Words} title="Why a vote stops" of=${STOPS} /><${Words} title="What the strategies do" of=${STRATEGIES} />`}
      </div>
      <${Problem} error=${pages.error} retry=${pages.reload} />
      ${pages.rows == null && !pages.error && html`<${Loading} lines=${6} />`}
      ${pages.rows?.length === 0 && html`
        <${Empty} title=${strategy ? `No request was answered by ${strategy} yet` : 'Nothing was asked yet'}>
          Ask something in the <a href=${to('playground')}>playground</a>, or from any OpenAI client.
        <//>`}
      ${pages.rows?.length > 0 && html`<${Table} label="Traces" columns=${COLUMNS} rows=${pages.rows} />`}
      <${More} pages=${pages} />
    <//>
  `;
}

export function Trace({ place, me }) {
  const trace = useData((signal) => get(`/v1/traces/${encodeURIComponent(place.id)}`, { signal }), [place.id]);
  const data = trace.data;
  return html`
    <${Page} title="Trace" lead=${data && clip(data.question, LEAD)} back=${{ to: to('traces'), name: 'Traces' }}>
      <${Loaded} of=${trace} lines=${8}>${(t) => html`<${Whole} trace=${t} me=${me} />`}<//>
    <//>
  `;
}

function Whole({ trace, me }) {
  const t = trace;
  return html`
    <${Stats}>
      <${Stat} name="Answer" value=${clip(t.answer, 60) || '–'} />
      ${t.agreement != null && html`<${Stat} name="Agreement" value=${percent(t.agreement)} note=${t.confidence != null && `sure to ${percent(t.confidence, 1)}`} />`}
      <${Stat} name="Strategy" value=${t.strategy} note=${t.requested && t.requested !== t.strategy && `asked: ${t.requested}`} />
      <${Stat} name="Stopped" value=${html`<${Badge}>${t.stop_reason}<//>`} note=${meaning(t.stop_reason)} />
      <${Stat} name="Tokens" value=${compact(generated(t.tokens))} />
      <${Stat} name="Time" value=${seconds(t.seconds)} />
    <//>
    ${t.reason && html`<p class="remark">${t.reason}</p>`}
    <div class="columns">
      <div>
        ${t.question.length > LEAD && html`<${Asked} trace=${t} />`}
        <${Samples} samples=${t.samples} isVote=${t.votes?.length > 0} />
        <${Steps} steps=${t.steps} />
        <${Course} trace=${t} />
      </div>
      <div>
        <${Vote} trace=${t} />
        <${Learned} training=${t.training} />
        <${Neighbours} of=${t.neighbours} nearest=${t.nearest} />
        <${Verification} of=${t.verification} />
        <${Saved} memory=${t.memory} />
        <${Price} trace=${t} />
        <${Verdict} id=${t.id} />
        ${me.may('reviewer') && html`<${Lineage} id=${t.id} />`}
        <${Identity} trace=${t} />
      </div>
    </div>
  `;
}

function Asked({ trace }) {
  return html`<${Card} title="Question"><p class="prose">${trace.question}</p><//>`;
}

function Identity({ trace: t }) {
  return html`
    <${Card} title="Identity">
      <${Facts} of=${[
        ['Asked', when(t.asked_at)],
        ['Model', t.model],
        ['Through', t.adapter && html`<${VersionLink} id=${t.adapter} />`],
        ['Task', t.task],
        ['Effort', t.effort],
        ['Novelty', t.novelty != null && number(t.novelty)],
        ['Id', html`<span class="mono">${t.id}</span>`],
      ]} />
    <//>
  `;
}

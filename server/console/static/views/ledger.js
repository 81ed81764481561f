// What each strategy helped and hurt, and what a right answer more costs.
import { html } from '../lib/html.js';
import { get } from '../lib/api.js';
import { useData } from '../lib/data.js';
import { compact, count, number, percent, points, seconds } from '../lib/format.js';
import { to } from '../lib/router.js';
import { STRATEGIES } from '../lib/words.js';
import { Intervals } from '../lib/charts.js';
import { Badge, Card, Empty, Loaded, Page, Stat, Stats, Table, Words } from '../lib/ui.js';

const more = (name, form) => (row) => form(row.per_additional_right[name]);
const COLUMNS = [
  { name: 'Strategy', wide: true, cell: (r) => html`<b>${r.strategy}</b>` },
  { name: 'Asked', numeric: true, cell: (r) => count(r.asked) },
  { name: 'Judged', numeric: true, cell: (r) => count(r.judged) },
  { name: 'Right', numeric: true, cell: (r) => percent(r.right?.value) },
  { name: 'Helped', numeric: true, cell: (r) => count(r.helped) },
  { name: 'Hurt', numeric: true, cell: (r) => count(r.hurt) },
  { name: 'Tokens', numeric: true, cell: (r) => compact(r.tokens && Math.round(r.tokens)) },
  { name: 'Time', numeric: true, cell: (r) => seconds(r.seconds) },
  { name: 'Tokens a gain', numeric: true, cell: more('tokens', (v) => compact(v && Math.round(v))) },
  { name: 'Time a gain', numeric: true, cell: more('seconds', seconds) },
];
const MEANT = {
  Judged: 'A verifier, a person or an evaluation said whether the answer was right.',
  Helped: 'The strategy was right where the vote beside it was wrong.',
  Hurt: 'The strategy was wrong where the vote beside it was right.',
  Tokens: 'Of an answer, on average; likewise the time.',
  'Tokens a gain': 'What one right answer more than the vote has costs; likewise the time. None where nothing is gained.',
};

export function Ledger() {
  const ledger = useData((signal) => get('/v1/ledger', { signal }), [], 15_000);
  return html`
    <${Page} title="Ledger" lead="What each strategy was worth beside a vote on the model as it is served, and what it cost. “auto” chooses by it.">
      <${Loaded} of=${ledger}>${(found) => (found.data.length ? html`<${Shown} ledger=${found} />` : html`<${Nothing} />`)}<//>
    <//>
  `;
}

function Nothing() {
  return html`
    <${Empty} title="No answer was counted yet" icon="ledger">
      Answers count as soon as they are given. They are judged by verifiers, by your word in the
      <a href=${to('playground')}>playground</a>, or by an evaluation.
    <//>
  `;
}

function Shown({ ledger }) {
  const rows = ledger.data;
  const gains = rows.filter((row) => row.gain?.value != null).map((row) => ({ name: row.strategy, ...row.gain, ...textOf(row) }));
  const rights = rows.filter((row) => row.right?.value != null).map((row) => ({ name: row.strategy, ...row.right, text: shares(row.right), brief: percent(row.right.value) }));
  return html`
    <${Recent} recent=${ledger.recent} />
    <div class="chart-grid">
      <${Picture} title="Gained or lost" rows=${gains} zero=${0} form=${(at) => points(at, 0)}
        note="Points of right answers beside the vote, with 95 % intervals. Left of zero it hurts."
        none="Nothing is judged in pairs yet: a strategy other than the vote has to be asked, and its answer judged." />
      <${Picture} title="Right answers" rows=${rights} low=${0} high=${1} form=${(at) => percent(at)}
        note="Share of the judged answers, with 95 % intervals." none="No answer is judged yet." />
    </div>
    <${Table} label="Strategies" columns=${COLUMNS} rows=${rows} keyOf=${(row) => row.strategy} />
    <${Words} title="What the columns say" of=${MEANT} /><${Words} title="What the strategies do" of=${STRATEGIES} />
  `;
}

const shares = ({ value, low, high }) => `${percent(value)} (${percent(low)} to ${percent(high)})`;

function textOf({ gain, helped, hurt }) {
  const range = gain.low == null ? '' : ` (${points(gain.low)} to ${points(gain.high)})`;
  return { text: `${points(gain.value)}${range}`, brief: points(gain.value), told: `${helped} helped, ${hurt} hurt` };
}

function Picture({ title, note, rows, none, ...rest }) {
  const label = `${title}: ${rows.map((row) => `${row.name} ${row.text}`).join('; ')}`;
  return html`
    <${Card} title=${title} note=${note}>
      ${rows.length ? html`<${Intervals} label=${label} rows=${rows} ...${rest} />` : html`<p class="muted">${none}</p>`}
    <//>
  `;
}

function Recent({ recent }) {
  const { now, before, trend } = recent;
  const change = (name, form) => before.asked > 0 && `before: ${form(before[name])}`;
  return html`
    <${Stats}>
      <${Stat} name="Trend" value=${html`<${Badge}>${trend}<//>`} note=${`last ${count(now.asked)} answers`} />
      <${Stat} name="Agreement" value=${now.voted ? percent(now.agreement) : '–'} note=${change('agreement', percent)} />
      <${Stat} name="Right" value=${now.judged ? percent(now.right / now.judged) : '–'} note=${`${count(now.judged)} judged`} />
      <${Stat} name="Tokens an answer" value=${number(now.tokens, 0)} note=${change('tokens', (v) => number(v, 0))} />
      <${Stat} name="Time an answer" value=${seconds(now.seconds)} note=${change('seconds', seconds)} />
    <//>
  `;
}

// One version: what it learned from, how the gate judged it, how far its release is.
import { html } from '../lib/html.js';
import { get, post } from '../lib/api.js';
import { useData } from '../lib/data.js';
import { capital, count, number, percent, points, seconds, sentence, when } from '../lib/format.js';
import { to } from '../lib/router.js';
import { confirmed } from '../lib/dialogs.js';
import { Intervals } from '../lib/charts.js';
import { Badge, Button, Card, Facts, Loaded, Page, Problem, Stat, Stats } from '../lib/ui.js';
import { Lineage } from './lineage.js';
import { nameOf, State } from './adapters.js';
import { VersionLink } from './trace_parts.js';

const UNAPPROVED = ['suggested', 'waiting'];
const UNDECIDED = [...UNAPPROVED, 'shadow', 'share'];

export function Version({ place, me }) {
  const path = `/v1/adapters/${encodeURIComponent(place.id)}`;
  const version = useData((signal) => get(path, { signal }), [place.id], 15_000);
  const v = version.data;
  return html`
    <${Page} title=${v ? nameOf(v) : 'Version'} back=${{ to: to('adapters'), name: 'Adapters' }}
      lead=${v && reasonOf(v)} actions=${v && html`<${Moves} version=${v} path=${path} me=${me} changed=${version.reload} />`}>
      <${Loaded} of=${version} lines=${6}>${(found) => html`<${Whole} version=${found} />`}<//>
    <//>
  `;
}

const reasonOf = (v) => v.rejected ?? v.retired ?? v.metrics.reasons?.join('. ');

function Moves({ version: v, path, me, changed }) {
  if (v.retired) return null;
  const move = (asked) => confirmed({ ...asked, run: async () => { await post(`${path}/${asked.verb}`); changed(); } });
  const stage = v.release.at(-1)?.stage;
  const isChampion = v.aliases.includes('champion');
  return html`
    ${UNAPPROVED.includes(stage) && html`<${Button} kind="primary" onClick=${() => move({
      verb: 'approve', title: 'Approve the version?', action: 'Approve', done: 'Its release begins.',
      text: 'Its release begins: it is tried in the shadow or on a share of the requests, as the settings say.',
    })}>Approve<//>`}
    ${UNDECIDED.includes(stage) && html`<${Button} onClick=${() => move({
      verb: 'reject', title: 'Reject the version?', action: 'Reject', done: 'It is rejected.',
      text: 'Its trial, or its wait, ends for good: it can never be promoted.',
    })}>Reject<//>`}
    ${me.may('admin') && !isChampion && !v.rejected && html`
      <${Button} onClick=${() => move({
        verb: 'offer', title: 'Try it on a share?', action: 'Try on a share', done: 'It answers a share of the requests.',
        text: 'It answers a share of the requests (champion_share), and is compared with what is served.',
      })}>Try on a share<//>
      <${Button} onClick=${() => move({
        verb: 'promote', title: `Promote ${nameOf(v)}?`, action: 'Promote', done: `${nameOf(v)} is served.`,
        text: 'It answers every request from now on. A rollback undoes it.',
      })}>Promote<//>`}
  `;
}

function Whole({ version: v }) {
  const { accuracy, training, alarms = [] } = v.metrics;
  return html`
    ${alarms.map((alarm) => html`<${Problem} key=${alarm.monitor} error=${alarm} />`)}
    <${Stats}>
      <${Stat} name="State" value=${html`<${State} version=${v} />`} />
      <${Stat} name="Right after" value=${percent(accuracy?.candidate)} note=${accuracy && `${points(accuracy.candidate - accuracy.current)} points`} />
      <${Stat} name="Helped, hurt" value=${`${count(v.metrics.helped)}, ${count(v.metrics.hurt)}`} note="held-out questions" />
      <${Stat} name="Records" value=${count(v.records)} />
      <${Stat} name="Rank" value=${v.rank} />
      <${Stat} name="Training" value=${seconds(training?.seconds)} note=${training && `${count(training.steps)} steps`} />
    <//>
    <div class="columns">
      <div>
        ${accuracy && html`<${BeforeAfter} accuracy=${accuracy} />`}
        <${Gate} metrics=${v.metrics} />
        <${Guarded} metrics=${v.metrics} />
      </div>
      <div>
        <${Release} steps=${v.release} />
        <${Trained} version=${v} />
        <${Learned} version=${v} />
        <${Lineage} id=${v.id} />
      </div>
    </div>
  `;
}

function BeforeAfter({ accuracy }) {
  const names = { base: 'Base', current: 'Before', candidate: 'After' };
  const rows = Object.entries(names).map(([key, name]) => ({ name, value: accuracy[key], text: percent(accuracy[key], 1) }));
  const label = rows.map((row) => `${row.name} ${row.text}`).join(', ');
  return html`
    <${Card} title="Before and after" note="Share of held-out questions answered rightly: by the base, by what was served, by this version.">
      <${Intervals} label=${label} rows=${rows} low=${0} high=${1} form=${(at) => percent(at)} />
    <//>
  `;
}

function Gate({ metrics: m }) {
  return html`
    <${Card} title="Gate" note=${m.reasons?.map(capital).join('. ')} actions=${html`<${Badge}>${m.decision}<//>`}>
      <${Facts} of=${[
        ['Held out', m.asked != null && `${count(m.asked)} of ${count(m.holdout)} questions asked`],
        ['Helped', count(m.helped)],
        ['Hurt', count(m.hurt)],
        ['e-value', m.e_value != null && `${number(m.e_value, 1)}, ${number(1 / (m.budget?.alpha ?? 0.05), 1)} promotes`],
        ['p-value', m.p_value != null && number(m.p_value, 4)],
        ['Error budget', m.budget && `${number(m.budget.alpha, 3)} staked, ${number(m.budget.left, 3)} was left`],
      ]} />
    <//>
  `;
}

function Guarded({ metrics: m }) {
  const kinds = [['Far questions', m.guards], ['Near questions', m.near_guards]].filter(([, each]) => each);
  if (!kinds.length) return null;
  return html`
    <${Card} title="Guards" note="What was known before, and must not be lost.">
      <${Facts} of=${kinds.flatMap(([name, each]) => [[name, `${each.lost.length} lost of ${count(each.known)} known`], ...families(each.families)])} />
    <//>
  `;
}

const families = (of = {}) => Object.entries(of).map(([name, [lost, all]]) => [`– ${name}`, `${lost} lost of ${all}`]);

function Release({ steps }) {
  if (!steps.length) return null;
  return html`
    <${Card} title="Release" note="From the gate to every request, and back where it does harm.">
      <ol class="timeline">
        ${steps.map((step, n) => html`
          <li key=${n}><${Badge}>${step.stage}<//> <time class="muted">${when(step.created_at)}</time><p>${step.reason}</p></li>`)}
      </ol>
    <//>
  `;
}

function Trained({ version: v }) {
  const { training: t, target, selection } = v.metrics;
  return html`
    <${Card} title="Training">
      <${Facts} of=${[
        ['Started from', v.parent ? html`<${VersionLink} id=${v.parent} />` : 'the base'],
        ['Base model', v.base_model],
        ['Aimed at', target?.name],
        ['Chosen by', selection?.policy],
        ['Loss', t && `${number(t.loss[0])} → ${number(t.loss[1])} nats a token`],
        ['Tokens', t && count(t.tokens)],
        ['Learning rate', t?.recipe?.learning_rate],
        ['Seed', t?.recipe?.seed],
        ['Made', when(v.created_at)],
        ['Id', html`<span class="mono">${v.id}</span>`],
      ]} />
    <//>
  `;
}

function Learned({ version: v }) {
  const tasks = Object.entries(v.metrics.tasks ?? {});
  return html`
    <${Card} title="Learned from" note=${`${count(v.records)} records.`}>
      ${tasks.length > 0 && html`<${Facts} of=${tasks.map(([name, n]) => [name ? sentence(name) : 'No task', `${count(n)} records`])} />`}
    <//>
  `;
}

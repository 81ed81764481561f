// What the generations came to, one after another.
import { html } from '../lib/html.js';
import { get } from '../lib/api.js';
import { useData } from '../lib/data.js';
import { compact, count, number, percent, points, signed } from '../lib/format.js';
import { to } from '../lib/router.js';
import { Lines } from '../lib/charts.js';
import { Badge, Card, Empty, Loaded, Page, Table } from '../lib/ui.js';

const COLUMNS = [
  { name: 'Generation', wide: true, cell: (v) => html`<a href=${to('adapters', v.id)}>Generation ${v.number}</a>` },
  { name: 'Decision', cell: (v) => html`<${Badge}>${v.metrics.decision}<//>` },
  { name: 'Base', numeric: true, cell: (v) => percent(v.metrics.accuracy?.base) },
  { name: 'Before', numeric: true, cell: (v) => percent(v.metrics.accuracy?.current) },
  { name: 'After', numeric: true, cell: (v) => percent(v.metrics.accuracy?.candidate) },
  { name: 'Helped', numeric: true, cell: (v) => count(v.metrics.helped) },
  { name: 'Hurt', numeric: true, cell: (v) => count(v.metrics.hurt) },
  { name: 'Guards lost', numeric: true, cell: (v) => count(v.metrics.guards?.lost.length) },
  { name: 'Points an hour', numeric: true, cell: (v) => signed(v.metrics.returns?.per_hour) },
];

export function Learning() {
  const versions = useData((signal) => get('/v1/adapters', { signal }), [], 30_000);
  return html`
    <${Page} title="Learning curves" lead="How the share of right answers, the loss and the price went. Every picture runs from the first generation to the last.">
      <${Loaded} of=${versions}>${({ data }) => {
        const found = data.filter((v) => v.number != null).sort((a, b) => a.number - b.number);
        return found.length ? html`<${Curves} versions=${found} />` : html`<${Nothing} />`;
      }}<//>
    <//>
  `;
}

function Nothing() {
  return html`
    <${Empty} title="No generation yet" icon="learning">
      Every distillation adds a point. Begin one under <a href=${to('jobs')}>Jobs</a>, or let a schedule: <code>whet distill --when 50</code>.
    <//>
  `;
}

/** Points of one figure, of the versions that have it. */
function curve(versions, name, of) {
  const points = versions.map((v) => [v.number, of(v.metrics)]).filter(([, y]) => y != null);
  return { name, points };
}

function told(series, form) {
  return series
    .filter((each) => each.points.length)
    .map(({ name, points: p }) => `${name} from ${form(p[0][1])} to ${form(p.at(-1)[1])}`)
    .join('; ');
}

function Curve({ title, note, series, form, ...rest }) {
  const known = series.filter((each) => each.points.length);
  if (!known.length) return null;
  return html`
    <${Card} title=${title} note=${note}>
      <${Lines} label=${`${title}: ${told(known, form ?? number)}`} series=${known} form=${form} xName="generation" ...${rest} />
    <//>
  `;
}

function Curves({ versions }) {
  const last = versions.at(-1).metrics.accuracy;
  const of = (name, get) => curve(versions, name, get);
  return html`
    <div class="chart-grid">
      <${Curve} title="Right answers" form=${(at) => percent(at)} low=${0} high=${1}
        note=${last && `Share of held-out questions; the last generation: ${points(last.candidate - last.base)} points over the base.`}
        series=${[of('After', (m) => m.accuracy?.candidate), of('Before', (m) => m.accuracy?.current), of('Base', (m) => m.accuracy?.base)]} />
      <${Curve} title="Helped and hurt" note="Held-out questions that only the new version got right, or only the old." low=${0} whole form=${count}
        series=${[of('Helped', (m) => m.helped), of('Hurt', (m) => m.hurt)]} />
      <${Curve} title="Training loss" note="Nats a target token, of the first and the last mini-batch." low=${0}
        series=${[of('Last', (m) => m.training?.loss[1]), of('First', (m) => m.training?.loss[0])]} />
      <${Curve} title="Guards lost" note="Questions that were known before and are not any more." low=${0} whole form=${count}
        series=${[of('Far', (m) => m.guards?.lost.length), of('Near', (m) => m.near_guards?.lost.length)]} />
      <${Curve} title="Tokens" note="What each generation trained on." low=${0} whole form=${compact} series=${[of('Tokens', (m) => m.training?.tokens)]} />
      <${Curve} title="Records" note="What each generation learned from." low=${0} whole form=${compact} series=${[of('Records', (m) => m.train)]} />
    </div>
    <${Table} label="Generations" columns=${COLUMNS} rows=${versions.toReversed()} />
  `;
}

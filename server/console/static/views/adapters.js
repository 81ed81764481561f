// Versions of what was distilled: how they hang together, and which is served.
import { html } from '../lib/html.js';
import { get, post } from '../lib/api.js';
import { useData } from '../lib/data.js';
import { ago, count, percent, points, when } from '../lib/format.js';
import { to } from '../lib/router.js';
import { VERSIONS } from '../lib/words.js';
import { confirmed } from '../lib/dialogs.js';
import { Badge, Button, Card, Empty, Loaded, Page, Table, Words } from '../lib/ui.js';
import { Graph } from './graph.js';

const COLUMNS = [
  { name: 'Version', wide: true, cell: (v) => html`<a href=${to('adapters', v.id)}>${nameOf(v)}</a>` },
  { name: 'State', cell: (v) => html`<${State} version=${v} />` },
  { name: 'Right before', numeric: true, cell: (v) => percent(v.metrics.accuracy?.current) },
  { name: 'Right after', numeric: true, cell: (v) => percent(v.metrics.accuracy?.candidate) },
  { name: 'Points', numeric: true, cell: (v) => gainOf(v) },
  { name: 'Records', numeric: true, cell: (v) => count(v.records) },
  { name: 'Made', cell: (v) => html`<time title=${when(v.created_at)}>${ago(v.created_at)}</time>` },
];

export const nameOf = (version) => (version.number == null ? version.id : `Generation ${version.number}`);

function gainOf({ metrics: { accuracy } }) {
  return accuracy ? points(accuracy.candidate - accuracy.current) : '–';
}

/** What a version is now: an alias, how it ended, or how far its release is. */
export function State({ version: v }) {
  if (v.aliases.length) return v.aliases.map((name) => html`<${Badge} key=${name} as=${name === 'previous' ? 'plain' : undefined}>${name}<//> `);
  if (v.retired) return html`<${Badge} as="bad">retired<//>`;
  if (v.rejected) return html`<${Badge} as="bad">rejected<//>`;
  return html`<${Badge}>${v.metrics.stage ?? v.metrics.decision ?? 'kept'}<//>`;
}

export function Adapters({ me }) {
  const versions = useData((signal) => get('/v1/adapters', { signal }), [], 15_000);
  return html`
    <${Page} title="Adapters" lead="What was distilled from memory, generation by generation. The champion is served; the gate decides what may become one."
      actions=${me.may('admin') && versions.data?.data.length > 0 && html`<${Moves} versions=${versions.data.data} changed=${versions.reload} />`}>
      <${Loaded} of=${versions}>${({ data }) =>
        data.length ? html`<${Shown} versions=${data} />` : html`<${Nothing} me=${me} />`}<//>
    <//>
  `;
}

function Shown({ versions }) {
  const champion = versions.find((version) => version.aliases.includes('champion'));
  const title = champion ? `${nameOf(champion)} is served` : 'The base model is served';
  return html`
    <${Card} title=${title} note="Each version grew from the one that its line comes from.">
      <${Graph} versions=${versions} />
    <//>
    <${Table} label="Versions" columns=${COLUMNS} rows=${versions} />
    <${Words} title="What the states mean" of=${VERSIONS} />
  `;
}

function Nothing({ me }) {
  return html`
    <${Empty} title="Nothing was distilled yet" icon="adapters">
      ${me.may('admin') ? html`Begin a generation under <a href=${to('jobs')}>Jobs</a>` : 'An admin begins a generation'} once memory holds a few dozen verified records, or run <code>whet distill</code>.
    <//>
  `;
}

function Moves({ versions, changed }) {
  const named = (alias) => versions.find((version) => version.aliases.includes(alias));
  const champion = named('champion');
  const previous = named('previous');
  const move = (asked) => confirmed({ ...asked, run: async () => { await post(asked.path); changed(); } });
  return html`
    <${Button} onClick=${() => move({
      title: 'Roll back?',
      text: `${previous ? nameOf(previous) : 'What was served before'} is served again, in the place of ${champion ? nameOf(champion) : 'the base model'}.`,
      action: 'Roll back',
      done: 'What was served before is served again.',
      path: '/v1/adapters/rollback',
    })}>Roll back<//>
    ${champion && html`
      <${Button} kind="danger-quiet" onClick=${() => move({
        title: 'Serve the base model?',
        text: 'No adapter is served any more. A rollback undoes it.',
        action: 'Serve the base model',
        isDanger: true,
        done: 'The base model is served.',
        path: '/v1/adapters/reset',
      })}>Serve the base<//>`}
  `;
}

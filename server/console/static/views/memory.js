// What the tenant's memory holds: searched, filtered, read page by page.
import { html, useEffect, useState } from '../lib/html.js';
import { get, query } from '../lib/api.js';
import { usePages } from '../lib/data.js';
import { ago, clip, count, questionOf, sentence, when } from '../lib/format.js';
import { settle, to } from '../lib/router.js';
import { meaning, STATES, TIERS } from '../lib/words.js';
import { Badge, Button, Empty, Field, Loading, More, Page, Problem, Stat, Stats, Table, Words } from '../lib/ui.js';

const PAUSE_MS = 250;

const COLUMNS = [
  { name: 'Question', wide: true, cell: (r) => html`<a class="clamped" href=${to('memory', r.id)}>${clip(questionOf(r.messages)) || 'erased'}</a>` },
  { name: 'Answer', free: true, cell: (r) => html`<span class="mono">${clip(r.answer, 40) || '–'}</span>` },
  { name: 'State', cell: (r) => html`<${Badge}>${r.state}<//>` },
  { name: 'Verified by', cell: (r) => html`<span title=${meaning(r.tier)}>${r.tier}</span>` },
  { name: 'Task', free: true, cell: (r) => r.task ?? '–' },
  { name: 'Used', numeric: true, cell: (r) => count(r.uses) },
  { name: 'Made', cell: (r) => html`<time title=${when(r.created_at)}>${ago(r.created_at)}</time>` },
];

export function Memory({ place, me }) {
  const given = Object.fromEntries(['q', 'state', 'task'].map((name) => [name, place.search.get(name) ?? '']));
  const change = (name, value) => settle(to('memory', '', { ...given, [name]: value }));
  const pages = usePages(
    (after, signal) => get(query('/v1/memory/records', { limit: 50, after, ...given }), { signal }),
    Object.values(given),
  );
  const isFiltered = Object.values(given).some(Boolean);
  return html`
    <${Page} title="Memory" lead="Answers that were verified. They are served again, shown as examples, and trained on."
      actions=${html`<a class="button" href=${to('review')}>Review</a>`}>
      <${Counts} me=${me} />
      <div class="filters">
        <${Search} value=${given.q} search=${(text) => change('q', text)} />
        <${Field} label="State" inline>
          <select value=${given.state} onChange=${(e) => change('state', e.target.value)}>
            <option value="">all but erased</option>
            ${Object.keys(STATES).map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
          </select>
        <//>
        ${given.task && html`<${Button} kind="small" onClick=${() => change('task', '')}>Task ${given.task} ✕<//>`}
        ${pages.rows?.length > 0 && html`<${Words} title="What the states mean" of=${STATES} /><${Words} title="What an answer is verified by" of=${TIERS} />`}
      </div>
      <${Problem} error=${pages.error} retry=${pages.reload} />
      ${pages.rows == null && !pages.error && html`<${Loading} lines=${6} />`}
      ${pages.rows?.length === 0 && html`<${Nothing} isFiltered=${isFiltered} />`}
      ${pages.rows?.length > 0 && html`<${Table} label="Records" columns=${COLUMNS} rows=${pages.rows} />`}
      <${More} pages=${pages} />
    <//>
  `;
}

/** Asks a moment after the last key, not at each. */
function Search({ value, search }) {
  const [text, set] = useState(value);
  useEffect(() => {
    if (text === value) return undefined;
    const timer = setTimeout(() => search(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return html`
    <${Field} label="Search" inline>
      <input type="search" value=${text} onInput=${(e) => set(e.target.value)} placeholder="question, answer or solution" maxlength="1000" />
    <//>
  `;
}

function Nothing({ isFiltered }) {
  if (isFiltered) return html`<${Empty} title="No record is like that">Change the search or the state.<//>`;
  return html`
    <${Empty} title="Memory is empty" icon="memory">
      Say that an answer is right in the <a href=${to('playground')}>playground</a>, send a verifier with a request,
      or import solved examples: <code>whet memory import FILE</code>.
    <//>
  `;
}

function Counts({ me }) {
  const records = me.counts?.states;
  if (!records || !me.counts.records) return null;
  return html`
    <${Stats}>
      ${Object.keys(STATES).filter((name) => records[name]).map((name) => html`<${Stat} key=${name} name=${sentence(name)} value=${count(records[name])} />`)}
    <//>
  `;
}

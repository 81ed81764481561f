// Records that wait for a person: accepted, edited, quarantined or rejected, one after another.
import { html, useEffect, useRef, useState } from '../lib/html.js';
import { get, query } from '../lib/api.js';
import { usePages } from '../lib/data.js';
import { ago, clip, questionOf } from '../lib/format.js';
import { settle, to } from '../lib/router.js';
import { Badge, Choice, Empty, Loading, More, Page, Problem } from '../lib/ui.js';
import { Actions, Evidence } from './record.js';
import { accept, edit, quarantine, reject } from './record_actions.js';
import { tell } from '../lib/dialogs.js';
import { Contradictions } from './contradictions.js';
import { Alike } from './alike.js';

const TABS = [['pending', 'Waiting'], ['quarantined', 'Quarantined'], ['contradictions', 'Contradictions']];

export function Review({ place }) {
  const tab = place.search.get('tab') ?? 'pending';
  return html`
    <${Page} title="Review" lead="Records that are not used until a person has looked at them. Nothing is recalled or trained on before it is accepted.">
      <${Choice} label="What to review" options=${TABS} value=${tab} onChoose=${(name) => settle(to('review', '', { tab: name }))} />
      ${tab === 'contradictions' ? html`<${Contradictions} />` : html`<${Queue} key=${tab} state=${tab} />`}
    <//>
  `;
}

function Queue({ state }) {
  const pages = usePages((after, signal) => get(query('/v1/memory/records', { state, limit: 50, after }), { signal }), [state]);
  const [decided, decide] = useState(new Set());
  const [chosen, choose] = useState(null);
  const rows = pages.rows?.filter((row) => !decided.has(row.id));
  const at = Math.max(0, rows?.findIndex((row) => row.id === chosen) ?? 0);
  const record = rows?.[at];
  const done = () => {
    decide(new Set([...decided, record.id]));
    choose(rows[at + 1]?.id ?? rows[at - 1]?.id ?? null);
  };
  if (rows == null) return pages.error ? html`<${Problem} error=${pages.error} retry=${pages.reload} />` : html`<${Loading} />`;
  if (!rows.length && !pages.hasMore) {
    return html`
      <${Empty} title="Nothing waits for review" icon="review">
        ${state === 'pending'
          ? 'Records that a generation doubts, and what the settings hold back, come here.'
          : 'Records whose answers disagree, and those that feedback called wrong, come here.'}
      <//>`;
  }
  return html`
    <div class="review">
      <${List} rows=${rows} record=${record} choose=${choose} done=${done} at=${at} />
      <div>${record && html`<${Shown} key=${record.id} record=${record} done=${done} />`}</div>
    </div>
    <${More} pages=${pages} />
  `;
}

/** The keys work while the list has the focus, so that none is pressed by mistake. */
const KEYS = { a: 'accept', q: 'quarantine', r: 'reject', e: 'edit' };

function List({ rows, record, choose, done, at }) {
  const list = useRef(null);
  const move = (step) => choose(rows[Math.min(rows.length - 1, Math.max(0, at + step))].id);
  const now = async (act, text) => {
    try {
      await act(record);
      tell(text);
      done();
    } catch (error) {
      tell(error.message);
    }
  };
  const acts = {
    accept: () => now(accept, 'The record is active.'),
    quarantine: () => now(quarantine, 'The record is quarantined.'),
    reject: () => reject(record, done),
    edit: () => edit(record, done),
  };
  const press = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (!step && !KEYS[event.key]) return;
    event.preventDefault();
    if (step) move(step);
    else acts[KEYS[event.key]]();
  };
  useEffect(() => {
    list.current.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' });
  }, [at]);
  return html`
    <div class="queue">
      <p class="hint keyboard" id="queue-keys">In the list: <kbd>↓</kbd> <kbd>↑</kbd> move, <kbd>a</kbd> accepts, <kbd>e</kbd> edits, <kbd>q</kbd> quarantines, <kbd>r</kbd> rejects.</p>
      <ul ref=${list} role="listbox" tabindex="0" aria-label="Records to review" aria-describedby="queue-keys"
        aria-activedescendant=${record && `row-${record.id}`} onKeyDown=${press}>
        ${rows.map((row) => html`
          <li key=${row.id} id=${`row-${row.id}`} role="option" aria-selected=${row === record} onClick=${() => choose(row.id)}>
            <span class="queue-question clamped">${clip(questionOf(row.messages))}</span>
            <span class="queue-answer mono">${clip(row.answer, 40)}</span>
            <span class="muted">${row.tier} · ${ago(row.created_at)}</span>
          </li>`)}
      </ul>
    </div>
  `;
}

function Shown({ record, done }) {
  const near = record.evidence?.doubt_near;
  return html`
    <article class="card">
      <header class="card-head"><div><h2>${clip(questionOf(record.messages), 300)}</h2></div><${Badge}>${record.state}<//></header>
      <p class="big-answer">${record.answer}</p>
      ${record.rationale !== record.answer && html`<p class="prose">${record.rationale}</p>`}
      <div class="actions"><${Actions} record=${record} changed=${done} kind="small" /></div>
      <p><a href=${to('memory', record.id)}>Open the record</a></p>
    </article>
    <${Evidence} of=${record.evidence} />
    ${near?.length > 0 && html`<${Alike} ids=${near} />`}
  `;
}

// What every view is made of.
import { html, useLayoutEffect, useRef, useState } from './html.js';
import { Icon } from './icons.js';
import { sentence } from './format.js';
import { meaning } from './words.js';

/** A view: its heading gets the focus when the view is come to. */
export function Page({ title, lead, actions, back, children }) {
  const heading = useRef(null);
  useLayoutEffect(() => {
    document.title = `${title} · Whet`;
  }, [title]);
  return html`
    <header class="page-head">
      <div>
        ${back && html`<a class="back" href=${back.to}>← ${back.name}</a>`}
        <h1 tabindex="-1" ref=${heading}>${title}</h1>
        ${lead && html`<p class="lead">${lead}</p>`}
      </div>
      ${actions && html`<div class="actions">${actions}</div>`}
    </header>
    ${children}
  `;
}

export function Card({ title, note, actions, children, flush = false, level = 2 }) {
  const Heading = `h${level}`;
  return html`
    <section class=${flush ? 'card flush' : 'card'}>
      ${title &&
      html`<header class="card-head">
        <div><${Heading}>${title}</${Heading}>${note && html`<p class="note">${note}</p>`}</div>
        ${actions && html`<div class="actions">${actions}</div>`}
      </header>`}
      ${children}
    </section>
  `;
}

export function Button({ kind = '', icon, children, busy = false, ...rest }) {
  return html`
    <button type="button" class=${`button ${kind}`} aria-busy=${busy} disabled=${busy} ...${rest}>
      ${icon && html`<${Icon} name=${icon} />`}<span>${children}</span>
    </button>
  `;
}

const TONES = {
  good: ['active', 'succeeded', 'completed', 'pass', 'promoted', 'champion', 'confident', 'certain',
    'verified', 'kept', 'all', 'correct', 'right', 'passed', 'finished', 'executable'],
  bad: ['failed', 'fail', 'rejected', 'quarantined', 'degrading', 'taken_back', 'error', 'hurt',
    'incorrect', 'wrong'],
  warn: ['pending', 'paused', 'deadline', 'budget', 'exhausted', 'stagnating', 'waiting', 'dropped',
    'futile', 'suggested', 'shadow', 'share', 'dry_run'],
  live: ['running', 'in_progress', 'queued', 'candidate', 'sampling', 'started'],
};
const tone = (word) => Object.keys(TONES).find((name) => TONES[name].includes(word)) ?? 'plain';

/** A word for a state; its colour repeats what it says. */
export function Badge({ children, as }) {
  if (children == null) return null;
  const text = String(children).replaceAll('_', ' ');
  return html`<span class=${`badge ${as ?? tone(String(children))}`} title=${meaning(String(children))}>${text}</span>`;
}

/** Words of a view with their sentences, for whoever reads it for the first time. */
export function Words({ title, of }) {
  return html`
    <details class="words">
      <summary>${title}</summary>
      <${Facts} of=${Object.entries(of).map(([word, said]) => [html`<b>${word}</b>`, said])} />
    </details>
  `;
}

/** Why nothing is shown, and what to do about it. */
export function Empty({ title, icon = 'inbox', children }) {
  return html`
    <div class="empty">
      <${Icon} name=${icon} />
      <p class="empty-title">${title}</p>
      <div class="empty-text">${children}</div>
    </div>
  `;
}

export function Problem({ error, retry }) {
  if (!error) return null;
  return html`
    <div class="problem" role="alert">
      <${Icon} name="alert" />
      <p>${error.message}</p>
      ${retry && html`<${Button} kind="small" onClick=${retry}>Try again<//>`}
    </div>
  `;
}

/** What is there of something that is loaded; `children` is a function of it. */
export function Loaded({ of, lines = 4, children }) {
  if (of.data == null && of.error) {
    return html`<${Problem} error=${of.error} retry=${of.reload} />`;
  }
  if (of.data == null) return html`<${Loading} lines=${lines} />`;
  return html`<${Problem} error=${of.error} retry=${of.reload} />${children(of.data)}`;
}

export function Loading({ lines = 4 }) {
  return html`
    <div class="loading" role="status">
      <span class="hidden">Loading…</span>
      ${Array.from({ length: lines }, (_, n) => html`<i key=${n} class="line" />`)}
    </div>
  `;
}

/** Something wider than a phone, which is scrolled by itself; the keyboard reaches it. */
export function Scrolled({ label, children }) {
  return html`<div class="scrolled" role="region" aria-label=${label} tabindex="0">${children}</div>`;
}

/**
 * A table: `columns` are `{name, cell(row), numeric, wide, free}`. What is not free stays on one line,
 * what is wide has two. On a phone each row becomes a block.
 */
export function Table({ label, columns, rows, keyOf = (row) => row.id }) {
  return html`
    <div class="table">
      <table>
        <caption class="hidden">${label}</caption>
        <thead>
          <tr>${columns.map((c) => html`<th key=${c.name} scope="col" class=${c.numeric ? 'numeric' : ''}>
            ${c.hidden ? html`<span class="hidden">${c.name}</span>` : c.name}</th>`)}</tr>
        </thead>
        <tbody>
          ${rows.map((row) => html`
            <tr key=${keyOf(row)}>
              ${columns.map((c) => html`
                <td key=${c.name} data-name=${c.hidden ? '' : c.name}
                  class=${['numeric', 'wide', 'free'].filter((name) => c[name]).join(' ')}>${c.cell(row)}</td>`)}
            </tr>`)}
        </tbody>
      </table>
    </div>
  `;
}

/** Names and values; those without a value are left out. */
export function Facts({ of }) {
  const known = of.filter(([, value]) => value != null && value !== false && value !== '');
  return html`
    <dl class="facts">
      ${known.map(([name, value], n) => html`<div key=${n}><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>
  `;
}

export function Stat({ name, value, note }) {
  return html`
    <div class="stat">
      <dt>${name}</dt>
      <dd>${value}${note && html`<small>${note}</small>`}</dd>
    </div>
  `;
}

export const Stats = ({ children }) => html`<dl class="stats">${children}</dl>`;

export function More({ pages }) {
  if (!pages.hasMore) return null;
  return html`
    <div class="more">
      <${Button} busy=${pages.isLoading} onClick=${pages.next}>Show more<//>
    </div>
  `;
}

/** Choose one of a few: links would leave the page, so these are buttons. */
export function Choice({ label, options, value, onChoose }) {
  return html`
    <div class="choice" role="group" aria-label=${label}>
      ${options.map(([name, shown]) => html`
        <button type="button" key=${name} aria-pressed=${name === value}
          onClick=${() => onChoose(name)}>${shown ?? sentence(name)}</button>`)}
    </div>
  `;
}

export function Field({ label, hint, children, inline = false }) {
  return html`
    <label class=${inline ? 'field inline' : 'field'}>
      <span class="field-name">${label}</span>
      ${children}
      ${hint && html`<span class="hint">${hint}</span>`}
    </label>
  `;
}

/** JSON that has no form of its own, in names and values. */
export function Tree({ value }) {
  if (value === null || typeof value !== 'object') {
    return html`<span class="mono">${String(value)}</span>`;
  }
  const entries = Object.entries(value);
  if (!entries.length) return html`<span class="muted">nothing</span>`;
  if (Array.isArray(value) && value.every((each) => typeof each !== 'object')) {
    return html`<span class="mono">${value.join(', ')}</span>`;
  }
  return html`
    <ul class="tree">
      ${entries.map(([name, inner]) => html`
        <li key=${name}><span class="tree-name">${name}</span> <${Tree} value=${inner} /></li>`)}
    </ul>
  `;
}

/** Not offered where the browser gives a page no clipboard: over plain HTTP from another machine. */
export function Copy({ text, name = 'Copy' }) {
  const [isDone, done] = useState(false);
  if (!navigator.clipboard) return null;
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    done(true);
    setTimeout(() => done(false), 1500);
  };
  return html`<${Button} kind="small" onClick=${copy}>${isDone ? 'Copied' : name}<//>`;
}

// The records that were recalled for a question, and how near they are.
import { html, useState } from '../lib/html.js';
import { get } from '../lib/api.js';
import { useData } from '../lib/data.js';
import { clip, number, questionOf, tail } from '../lib/format.js';
import { to } from '../lib/router.js';
import { Button, Card } from '../lib/ui.js';

/** Shown at first: the nearest come first. */
const FIRST = 5;

export function Neighbours({ of, nearest }) {
  const found = of?.length ? of : nearest ? [nearest] : [];
  const records = useData((signal) => known(found, signal), [found.map((each) => each.id).join()]);
  const [isWhole, show] = useState(false);
  if (!found.length) return null;
  const note = of?.length ? 'Records that were recalled for this question; 1 is the same wording.' : 'The nearest record; it was too far to be used.';
  return html`
    <${Card} title="Neighbours" note=${note}>
      <ul class="rows">
        ${found.slice(0, isWhole ? found.length : FIRST).map((each) => html`<${Neighbour} key=${each.id} of=${each} record=${records.data?.get(each.id)} />`)}
      </ul>
      ${!isWhole && found.length > FIRST && html`<${Button} kind="small" onClick=${() => show(true)}>Show all ${found.length}<//>`}
    <//>
  `;
}

/** Return the records that are still there, by their ids. */
async function known(found, signal) {
  const asked = found.map(({ id }) => get(`/v1/memory/records/${encodeURIComponent(id)}`, { signal }));
  const settled = await Promise.allSettled(asked);
  return new Map(settled.filter((each) => each.value).map(({ value }) => [value.id, value]));
}

function Neighbour({ of, record }) {
  return html`
    <li>
      <a class="grow clamped" href=${to('memory', of.id)}>${(record && clip(questionOf(record.messages))) || tail(of.id)}</a>
      ${record && html`<span class="mono">${clip(record.answer, 24)}</span>`}
      <span class="meter" aria-hidden="true"><i style=${{ width: `${100 * Math.max(0, of.similarity)}%` }} /></span>
      <span class="num">${number(of.similarity)}</span>
    </li>
  `;
}

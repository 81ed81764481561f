// The records that were recalled for a question, and how near they are.
import { html } from '../lib/html.js';
import { get } from '../lib/api.js';
import { useData } from '../lib/data.js';
import { clip, number, questionOf, tail } from '../lib/format.js';
import { to } from '../lib/router.js';
import { Card } from '../lib/ui.js';

export function Neighbours({ of, nearest }) {
  const found = of?.length ? of : nearest ? [nearest] : [];
  const records = useData((signal) => known(found, signal), [found.map((each) => each.id).join()]);
  if (!found.length) return null;
  const note = of?.length ? 'Records that were recalled for this question.' : 'The nearest record; it was too far to be used.';
  return html`
    <${Card} title="Neighbours" note=${note}>
      <ul class="rows">
        ${found.map((each) => html`<${Neighbour} key=${each.id} of=${each} record=${records.data?.get(each.id)} />`)}
      </ul>
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
      <a class="grow" href=${to('memory', of.id)}>${(record && clip(questionOf(record.messages), 80)) || tail(of.id)}</a>
      ${record && html`<span class="mono">${clip(record.answer, 24)}</span>`}
      <span class="meter" aria-hidden="true"><i style=${{ width: `${100 * Math.max(0, of.similarity)}%` }} /></span>
      <span class="num">${number(of.similarity)}</span>
    </li>
  `;
}

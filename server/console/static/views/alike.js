// The records that are most like a doubted one: what it is held against.
import { html } from '../lib/html.js';
import { get } from '../lib/api.js';
import { useData } from '../lib/data.js';
import { clip, questionOf } from '../lib/format.js';
import { to } from '../lib/router.js';
import { Card, Loaded } from '../lib/ui.js';

export function Alike({ ids }) {
  const found = useData(async (signal) => {
    const asked = ids.map((id) => get(`/v1/memory/records/${encodeURIComponent(id)}`, { signal }));
    const settled = await Promise.allSettled(asked);
    return settled.filter((each) => each.status === 'fulfilled').map((each) => each.value);
  }, [ids.join()]);
  return html`
    <${Card} title="Most like it" note="Records whose questions are nearest. A wrong answer often stands out beside them.">
      <${Loaded} of=${found} lines=${3}>${(records) => html`
        <ul class="rows">
          ${records.map((record) => html`
            <li key=${record.id}>
              <a class="grow clamped" href=${to('memory', record.id)}>${clip(questionOf(record.messages))}</a>
              <span class="mono">${clip(record.answer, 30)}</span>
            </li>`)}
        </ul>`}<//>
    <//>
  `;
}

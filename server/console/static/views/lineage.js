// Where something comes from and what came of it, link by link.
import { html } from '../lib/html.js';
import { get } from '../lib/api.js';
import { useData } from '../lib/data.js';
import { sentence, tail } from '../lib/format.js';
import { to } from '../lib/router.js';
import { Card, Loaded } from '../lib/ui.js';

const VIEW = { rec_: 'memory', ad_: 'adapters', job_: 'jobs', 'ftjob-': 'jobs' };
const SHOWN = 6;

/** A link to whatever an id names; files have no view of their own. */
export function Thing({ id }) {
  if (id.startsWith('file-')) return html`<span class="mono">${tail(id)}</span>`;
  const view = Object.entries(VIEW).find(([start]) => id.startsWith(start))?.[1] ?? 'traces';
  return html`<a class="mono" href=${to(view, id)} title=${id}>${tail(id)}</a>`;
}

export function Lineage({ id }) {
  const found = useData((signal) => get(`/v1/trace/${encodeURIComponent(id)}?depth=0`, { signal }), [id]);
  if (found.error?.status === 404) return null;
  const links = found.data?.data[0]?.links ?? [];
  if (found.data && !links.length) return null;
  return html`
    <${Card} title="Lineage" note="Where it comes from, and what came of it.">
      <${Loaded} of=${found} lines=${2}>${() => html`
        <dl class="facts">
          ${links.map((link) => html`
            <div key=${link.relation}><dt>${sentence(link.relation)}</dt>
              <dd class="things">
                ${link.ids.slice(0, SHOWN).map((each) => html`<${Thing} key=${each} id=${each} />`)}
                ${link.total > SHOWN && html`<span class="muted">and ${link.total - SHOWN} more</span>`}
              </dd></div>`)}
        </dl>`}<//>
    <//>
  `;
}

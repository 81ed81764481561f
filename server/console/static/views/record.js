// One record: what was asked, what is known, who vouches for it, and what came of it.
import { html } from '../lib/html.js';
import { get } from '../lib/api.js';
import { useData } from '../lib/data.js';
import { clip, count, percent, questionOf, when } from '../lib/format.js';
import { to } from '../lib/router.js';
import { meaning } from '../lib/words.js';
import { tell } from '../lib/dialogs.js';
import { Badge, Button, Card, Empty, Facts, Loaded, Page, Problem, Tree } from '../lib/ui.js';
import { Lineage } from './lineage.js';
import { accept, edit, erase, quarantine, reject } from './record_actions.js';

export function OneRecord({ place }) {
  const record = useData((signal) => get(`/v1/memory/records/${encodeURIComponent(place.id)}`, { signal }), [place.id]);
  const data = record.data;
  const actions = data && data.state !== 'erased' && html`<${Actions} record=${data} changed=${record.reload} />`;
  return html`
    <${Page} title="Record" lead=${data && clip(questionOf(data.messages), 240)} back=${{ to: to('memory'), name: 'Memory' }} actions=${actions}>
      <${Loaded} of=${record} lines=${6}>${(r) => html`<${Whole} record=${r} />`}<//>
    <//>
  `;
}

/** The buttons of a record; `changed` is called when it is another. */
export function Actions({ record, changed, kind = '' }) {
  const now = (act, text) => async () => {
    try {
      await act(record);
      tell(text);
    } catch (error) {
      tell(error.message);
    }
    changed();
  };
  const { state } = record;
  return html`
    ${state !== 'active' && html`<${Button} kind=${`primary ${kind}`} onClick=${now(accept, 'The record is active.')}>Accept<//>`}
    <${Button} kind=${kind} onClick=${() => edit(record, changed)}>Edit<//>
    ${state !== 'quarantined' && html`<${Button} kind=${kind} onClick=${now(quarantine, 'The record is quarantined.')}>Quarantine<//>`}
    ${state !== 'expired' && html`<${Button} kind=${kind} onClick=${() => reject(record, changed)}>Reject<//>`}
    <${Button} kind=${`danger-quiet ${kind}`} onClick=${() => erase(record, changed)}>Erase<//>
  `;
}

function Whole({ record: r }) {
  if (r.state === 'erased') {
    return html`<${Empty} title="This record is erased">Its content is gone for good; only its id is kept.<//><${Lineage} id=${r.id} />`;
  }
  return html`
    <div class="columns">
      <div>
        <${Card} title="Question">
          ${r.messages.map((message, n) => html`
            <div class="turn" key=${n}><span class="turn-role">${message.role}</span><p class="prose">${message.content}</p></div>`)}
        <//>
        <${Card} title="Answer">
          <p class="big-answer">${r.answer}</p>
          ${r.rationale !== r.answer && html`<h3>Solution</h3><p class="prose">${r.rationale}</p>`}
        <//>
      </div>
      <div>
        <${Card} title="Standing">
          <${Facts} of=${[
            ['State', html`<${Badge}>${r.state}<//><small>${meaning(r.state)}</small>`],
            ['Verified by', html`${r.tier}<small>${meaning(r.tier)}</small>`],
            ['From', r.source],
            ['Confidence', percent(r.confidence)],
            ['Used', `${count(r.uses)} times, won ${count(r.wins)}`],
            ['Task', r.task && html`<a href=${to('memory', '', { task: r.task })}>${r.task}</a>`],
            ['Model', r.model],
            ['Made', when(r.created_at)],
            ['Id', html`<span class="mono">${r.id}</span>`],
          ]} />
        <//>
        <${Evidence} of=${r.evidence} />
        <${Lineage} id=${r.id} />
      </div>
    </div>
  `;
}

export function Evidence({ of }) {
  const { doubt, doubt_near: near, ...rest } = of ?? {};
  return html`
    <${Card} title="Evidence" note="Who or what vouches for the answer.">
      ${doubt && html`<${Problem} error=${{ message: `Doubted: ${doubt}` }} />`}
      ${Object.keys(rest).length ? html`<${Tree} value=${rest} />` : !doubt && html`<p class="muted">None was given.</p>`}
    <//>
  `;
}

// Questions to which memory holds different answers, side by side.
import { html } from '../lib/html.js';
import { ask, get, query } from '../lib/api.js';
import { useData } from '../lib/data.js';
import { clip, questionOf, when } from '../lib/format.js';
import { confirmed } from '../lib/dialogs.js';
import { to } from '../lib/router.js';
import { Badge, Button, Card, Empty, Facts, Loaded } from '../lib/ui.js';

const MOST_QUESTIONS = 20;
const MOST_CHARACTERS = 1000;

/** Return the records of each question that has several answers, one of them quarantined. */
async function disputed(signal) {
  const page = await get(query('/v1/memory/records', { state: 'quarantined', limit: 200 }), { signal });
  const asked = [...new Set(page.data.map((record) => questionOf(record.messages)))].filter(Boolean);
  const groups = await Promise.all(asked.slice(0, MOST_QUESTIONS).map((question) => rivals(question, signal)));
  return groups.filter((group) => new Set(group.map((record) => record.answer)).size > 1);
}

async function rivals(question, signal) {
  const q = question.slice(0, MOST_CHARACTERS);
  const page = await get(query('/v1/memory/records', { q, limit: 50 }), { signal });
  return page.data.filter((record) => questionOf(record.messages) === question && record.state !== 'expired');
}

export function Contradictions() {
  const found = useData(disputed, []);
  return html`
    <${Loaded} of=${found}>${(groups) =>
      groups.length
        ? groups.map((group) => html`<${Dispute} key=${group[0].id} group=${group} changed=${found.reload} />`)
        : html`<${Empty} title="No answers contradict each other" icon="review">Where two records answer one question differently, both wait here for a decision.<//>`}
    <//>
  `;
}

function Dispute({ group, changed }) {
  return html`
    <${Card} title=${clip(questionOf(group[0].messages), 200)} note=${`${group.length} records answer this question.`}>
      <div class="side-by-side" data-columns=${Math.min(group.length, 4)}>
        ${group.map((record) => html`<${Side} key=${record.id} record=${record} group=${group} changed=${changed} />`)}
      </div>
    <//>
  `;
}

function Side({ record, group, changed }) {
  const others = group.filter((other) => other.id !== record.id && other.answer !== record.answer);
  const keep = () =>
    confirmed({
      title: `Keep “${clip(record.answer, 40)}”?`,
      text: `This record becomes active, and ${others.length === 1 ? 'the other is' : `the ${others.length} others are`} rejected.`,
      action: 'Keep this answer',
      done: 'The contradiction is settled.',
      run: () => settle(record, others, changed),
    });
  return html`
    <div class="side">
      <p class="big-answer">${clip(record.answer, 120)}</p>
      <p class="prose">${clip(record.rationale, 400)}</p>
      <${Facts} of=${[
        ['State', html`<${Badge}>${record.state}<//>`],
        ['Verified by', record.tier],
        ['Made', when(record.created_at)],
      ]} />
      <div class="actions">
        <${Button} kind="small primary" onClick=${keep}>Keep this answer<//>
        <a class="button small" href=${to('memory', record.id)}>Open</a>
      </div>
    </div>
  `;
}

/** The others go first: two active answers to one question are never seen. */
async function settle(record, others, changed) {
  const move = (id, state, reason) => ask('PATCH', `/v1/memory/records/${encodeURIComponent(id)}`, { body: { state, reason } });
  for (const other of others) await move(other.id, 'expired', `rejected in review for ${record.id}`);
  await move(record.id, 'active', 'kept in review');
  changed();
}

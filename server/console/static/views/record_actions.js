// What a reviewer may do with a record, each asked back where it destroys.
import { html } from '../lib/html.js';
import { ask } from '../lib/api.js';
import { confirmed, Form, opened, tell } from '../lib/dialogs.js';
import { Field } from '../lib/ui.js';

const path = (id) => `/v1/memory/records/${encodeURIComponent(id)}`;

export const accept = (record) => move(record, 'active', 'accepted in review');
export const quarantine = (record) => move(record, 'quarantined', 'quarantined in review');

function move(record, state, reason) {
  return ask('PATCH', path(record.id), { body: { state, reason } });
}

/** Reject: the record is used no more, and stays to be looked at. */
export function reject(record, done) {
  confirmed({
    title: 'Reject the record?',
    text: 'It is not recalled and not trained on any more. It can be accepted again later.',
    action: 'Reject',
    isDanger: true,
    done: 'The record is rejected.',
    run: async () => done(await move(record, 'expired', 'rejected in review')),
  });
}

/** Erase: its content goes for good, with the adapters that learned from it. */
export function erase(record, done) {
  confirmed({
    title: 'Erase the record for good?',
    text: 'Its question, answer and solution are deleted. Adapters that learned from it are retired. Nothing brings it back.',
    action: 'Erase for good',
    isDanger: true,
    done: 'The record is erased.',
    run: async () => done(await ask('DELETE', path(record.id))),
  });
}

/** Edit: another answer, with the solution that leads to it. */
export function edit(record, done) {
  opened({
    title: 'Edit the record',
    children: (close) => html`
      <${Form} action="Save" close=${close} send=${async (values) => {
        const changed = await ask('PATCH', path(record.id), { body: changes(record, values) });
        close();
        tell('The record is changed; whoever edits vouches for it.');
        done(changed);
      }}>
        <${Field} label="Answer"><input name="answer" value=${record.answer} required autofocus /><//>
        <${Field} label="Solution" hint="A worked solution that ends in the answer, or the bare answer.">
          <textarea name="rationale" rows="8" required>${record.rationale}</textarea>
        <//>
      <//>`,
  });
}

/** A new answer makes the old solution wrong: where only the answer is new, it is the solution too. */
function changes(record, { answer, rationale }) {
  const isSame = rationale === record.rationale && answer !== record.answer;
  return { answer, rationale: isSame ? answer : rationale };
}

// The reader's word on an answer: memory and the ledger learn from it.
import { html, useState } from '../lib/html.js';
import { post } from '../lib/api.js';
import { Button, Card, Field, Problem } from '../lib/ui.js';
import { to } from '../lib/router.js';

const SAID = {
  created: 'A record was made of it.',
  confirmed: 'It confirms a record.',
  quarantined: 'The record is quarantined.',
  none: 'Nothing changes by it.',
};

export function Verdict({ id }) {
  return html`
    <${Card} title="Is the answer right?" note="Your word makes, confirms or quarantines a record, and counts in the ledger.">
      <${VerdictForm} id=${id} />
    <//>
  `;
}

export function VerdictForm({ id }) {
  const [state, set] = useState({ isBusy: false, isWrong: false, outcome: null, error: null });
  const say = async (verdict, answer) => {
    set((before) => ({ ...before, isBusy: true, error: null }));
    try {
      const outcome = await post('/v1/feedback', { completion_id: id, verdict, ...(answer && { answer }) });
      set({ isBusy: false, isWrong: false, outcome, error: null });
    } catch (error) {
      set((before) => ({ ...before, isBusy: false, error }));
    }
  };
  const submit = (event) => {
    event.preventDefault();
    say('incorrect', new FormData(event.target).get('answer').trim());
  };
  if (state.outcome) {
    const { action, record, reason } = state.outcome;
    return html`<p class="remark" role="status">${SAID[action]} ${reason && `(${reason})`} ${record && html`<a href=${to('memory', record.id)}>Show the record</a>`}</p>`;
  }
  return html`
    <${Problem} error=${state.error} />
    ${state.isWrong
      ? html`
        <form class="stack" onSubmit=${submit}>
          <${Field} label="The right answer, if you know it"><input name="answer" autocomplete="off" autofocus /><//>
          <div class="actions"><${Button} kind="primary" type="submit" busy=${state.isBusy}>Send<//>
            <${Button} onClick=${() => set({ ...state, isWrong: false })}>Cancel<//></div>
        </form>`
      : html`
        <div class="actions">
          <${Button} busy=${state.isBusy} onClick=${() => say('correct')}>It is right<//>
          <${Button} busy=${state.isBusy} onClick=${() => set({ ...state, isWrong: true })}>It is wrong<//>
        </div>`}
  `;
}

// What one strategy came to in the playground, as it comes.
import { html } from '../lib/html.js';
import { useNow } from '../lib/data.js';
import { clip, compact, percent, seconds } from '../lib/format.js';
import { to } from '../lib/router.js';
import { Votes } from '../lib/charts.js';
import { Badge, Card, Facts, Problem } from '../lib/ui.js';
import { VerdictForm } from './verdict.js';

export function Outcome({ name, run }) {
  const { report } = run;
  const now = useNow(run.isRunning, 200);
  const passed = ((run.ended ?? now) - run.began) / 1000;
  const status = run.isRunning
    ? html`<${Badge} as="live">${run.votes || run.text ? 'voting' : 'waiting'}<//>`
    : html`<${Badge}>${run.error ? 'failed' : run.isStopped ? 'stopped' : report?.stop_reason}<//>`;
  return html`
    <${Card} title=${name} actions=${status}>
      <div class="outcome" aria-live="polite" aria-busy=${run.isRunning}>
        <${Problem} error=${run.error} />
        ${report?.answer && html`<p class="big-answer">${clip(report.answer, 120)}</p>`}
        ${run.votes?.length > 0 && html`<${Votes} votes=${run.votes} />`}
        ${run.text && html`<details open=${!report?.answer}><summary>Text</summary><p class="prose">${run.text}</p></details>`}
        ${run.isRunning && !run.text && !run.votes && html`<p class="muted">Waiting for the first sample…</p>`}
      </div>
      <${Facts} of=${costs(report, passed)} />
      ${report && run.id && html`
        ${run.isKept && html`<p><a href=${to('traces', run.id)}>Show the trace</a></p>`}
        ${report.answer && html`<h3>Is it right?</h3><${VerdictForm} id=${run.id} />`}`}
    <//>
  `;
}

function costs(report, passed) {
  const found = [['Time', seconds(passed)]];
  if (!report) return found;
  const { tokens, samples } = report;
  const generated = tokens.returned + tokens.losing + tokens.cancelled;
  return [
    ...found,
    ['Strategy', report.strategy !== report.requested ? `${report.strategy}, asked: ${report.requested}` : null],
    ['Agreement', report.agreement == null ? null : percent(report.agreement)],
    ['Samples', `${samples.finished} of ${samples.started}`],
    ['Tokens', compact(generated)],
    ['Trained on', tokens.training ? `${compact(tokens.training)} tokens` : null],
    ['Because', report.reason],
  ];
}

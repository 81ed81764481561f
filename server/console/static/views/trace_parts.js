// The parts of a trace beside its samples: vote, training, neighbours, checks, memory, price.
import { html } from '../lib/html.js';
import { capital, count, number, seconds, tail } from '../lib/format.js';
import { to } from '../lib/router.js';
import { Lines, Parts, Votes } from '../lib/charts.js';
import { Badge, Card, Facts } from '../lib/ui.js';

export function Vote({ trace }) {
  const votes = trace.votes ?? [];
  if (!votes.length) return null;
  const total = votes.reduce((all, vote) => all + vote.count, 0);
  const note = `${total} ${total === 1 ? 'vote' : 'votes'} over ${votes.length} ${votes.length === 1 ? 'answer' : 'answers'}.`;
  return html`<${Card} title="Vote" note=${note}><${Votes} votes=${votes} /><//>`;
}

export function Learned({ training }) {
  if (!training) return null;
  const { losses = [], loss = [], holdout_loss: holdout = [], steps } = training;
  const series = [
    { name: 'Training', points: (losses.length > 1 ? losses : loss).map((value, n, all) => [(n * steps) / (all.length - 1), value]) },
    { name: 'Held out', points: holdout.map((value, n) => [n * steps, value]) },
  ].filter((each) => each.points.length > 1);
  return html`
    <${Card} title="Training" note=${training.reason && capital(training.reason)}
      actions=${html`<${Badge} as=${training.accepted ? 'good' : 'bad'}>${training.accepted ? 'accepted by the gate' : 'not used'}<//>`}>
      ${series.length > 0 && html`
        <${Lines} label=${`Loss over ${steps} steps: ${series.map(told).join('; ')}`} series=${series}
          low=${0} height=${180} xName="step" />`}
      <${Facts} of=${[
        ['Steps', count(steps)],
        ['Loss', loss.length > 1 && `${number(loss[0])} → ${number(loss.at(-1))} nats a token`],
        ['Held out', holdout.length > 1 && `${number(holdout[0])} → ${number(holdout.at(-1))} nats a token`],
        ['Started from', training.parent && html`<${VersionLink} id=${training.parent} />`],
      ]} />
    <//>
  `;
}

const told = ({ name, points }) => `${name} ${number(points[0][1])} to ${number(points.at(-1)[1])}`;

/** A link where the id is that of a registered version. */
export function VersionLink({ id }) {
  return id.startsWith('ad_') ? html`<a class="mono" href=${to('adapters', id)}>${tail(id)}</a>` : html`<span class="mono">${id}</span>`;
}

export function Verification({ of }) {
  if (!of?.length) return null;
  return html`
    <${Card} title="Verification">
      <ul class="rows">
        ${of.map((each, n) => html`
          <li key=${n}><${Badge} as=${each.passed ? 'good' : 'bad'}>${each.passed ? 'passed' : 'failed'}<//>
            <span class="grow"><b>${each.type}</b> <span class="muted">${each.detail}</span></span></li>`)}
      </ul>
    <//>
  `;
}

export function Saved({ memory }) {
  if (!memory) return null;
  const id = memory.saved ?? memory.reused;
  return html`
    <${Card} title="Memory" note=${memory.reason && (id ? capital(memory.reason) : `Not saved: ${memory.reason}`)}>
      <${Facts} of=${[
        [memory.saved ? 'Saved as' : 'Taken from', id && html`<a class="mono" href=${to('memory', id)}>${tail(id)}</a>`],
        ['State', memory.state && html`<${Badge}>${memory.state}<//>`],
      ]} />
    <//>
  `;
}

export function Price({ trace }) {
  const parts = (of, form) => Object.entries(of ?? {}).map(([name, value]) => [name.replaceAll('_', ' '), value, form(value)]);
  return html`
    <${Card} title="Cost">
      <h3>Tokens</h3>
      <${Parts} label="Tokens" parts=${parts(trace.tokens, count)} />
      ${Object.keys(trace.seconds_by_step ?? {}).length > 0 && html`
        <h3>Time</h3>
        <${Parts} label="Time" parts=${parts(trace.seconds_by_step, seconds)} />`}
    <//>
  `;
}

export function Steps({ steps }) {
  if (!steps?.length) return null;
  return html`<${Card} title="Steps" note="What was criticised, noted or asked on the way."><${StepList} steps=${steps} /><//>`;
}

function StepList({ steps }) {
  return html`
    <ol class="steps">
      ${steps.map((step, n) => html`
        <li key=${n}>
          <${Badge} as="plain">${step.kind}<//>
          ${step.passed != null && html`<${Badge} as=${step.passed ? 'good' : 'bad'}>${step.passed ? 'passed' : 'failed'}<//>`}
          <p class="prose">${step.text}</p>
          ${step.answer && html`<p class="mono">${step.answer}</p>`}
          ${step.children?.length > 0 && html`<${StepList} steps=${step.children} />`}
        </li>`)}
    </ol>
  `;
}

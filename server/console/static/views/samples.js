// The samples of a request: what each said, and what was read out of it.
import { html } from '../lib/html.js';
import { count, seconds } from '../lib/format.js';
import { Badge, Card, Empty } from '../lib/ui.js';

/** Without a vote nothing was read out of the one sample. */
export function Samples({ samples, isVote }) {
  if (!Array.isArray(samples)) return null;
  const leader = samples.find((sample) => sample.state === 'returned')?.key;
  const title = `Samples (${samples.length})`;
  if (!samples.length) {
    return html`
      <${Card} title=${title}>
        <${Empty} title="No sample was kept">Nothing is drawn where an answer is remembered.<//>
      <//>`;
  }
  return html`
    <${Card} title=${title} note=${isVote ? 'What the model wrote each time, and the answer that was read out of it.' : 'What the model wrote.'}>
      <ol class="samples">
        ${samples.map((sample, n) => html`
          <li key=${sample.number ?? n}><${Sample} sample=${sample} n=${n} isLeader=${leader != null && sample.key === leader} isVote=${isVote} /></li>`)}
      </ol>
    <//>
  `;
}

function Sample({ sample, n, isLeader, isVote }) {
  const standing = isLeader && sample.state === 'losing' ? 'agrees' : sample.state;
  return html`
    <details open=${sample.state === 'returned'}>
      <summary>
        <span class="sample-number">${sample.number ?? n + 1}</span>
        <span class=${isLeader ? 'sample-answer leader' : 'sample-answer'}>${sample.answer ?? (isVote ? 'no vote' : '')}</span>
        <span class="sample-cost">${count(sample.tokens)} tokens · ${seconds(sample.seconds)}</span>
        <${Badge} as=${sample.state === 'returned' ? 'good' : undefined}>${standing}<//>
      </summary>
      <p class="prose sample-text">${sample.text || 'It wrote nothing.'}</p>
      ${sample.end && sample.end !== 'stop' && html`<p class="hint">It ended: ${sample.end}.</p>`}
    </details>
  `;
}

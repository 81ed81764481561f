// When each step of a request went on, and each sample: what waited for what.
import { html } from '../lib/html.js';
import { seconds, sentence } from '../lib/format.js';
import { useWidth } from '../lib/data.js';
import { ticks } from '../lib/charts.js';
import { Card } from '../lib/ui.js';

const ROW = 20;
const NAMES = 92;

const endOf = (span) => span.began_s + span.seconds;

/** A row for each kind of step, however often it went on, and one for each sample. */
function rowsOf({ events, samples }) {
  const steps = Map.groupBy(events ?? [], (span) => span.step);
  return [
    ...[...steps].map(([step, spans]) => ({ name: sentence(step), kind: 'step', spans })),
    ...(samples ?? []).map((sample) => ({ name: `Sample ${sample.number}`, kind: sample.state, spans: [sample] })),
  ];
}

export function Course({ trace }) {
  const [box, width] = useWidth();
  const rows = rowsOf(trace);
  if (rows.length < 2) return null;  // nothing waited for anything
  const end = Math.max(trace.seconds, ...rows.flatMap(({ spans }) => spans.map(endOf))) || 1;
  const x = (at) => NAMES + (at / end) * (width - NAMES - 12);
  const height = rows.length * ROW + 26;
  const label = rows.map(({ name, spans }) => `${name} from ${seconds(spans[0].began_s)} to ${seconds(endOf(spans.at(-1)))}`).join('; ');
  return html`
    <${Card} title="Course" note="When each step and each sample went on, from the start of the request.">
      <figure class="chart" ref=${box}>
        <svg class="course" width=${width} height=${height} role="img" aria-label=${label}>
          ${ticks(0, end, Math.max(2, Math.floor(width / 120))).map((at) => html`
            <g key=${at}><line class="grid" x1=${x(at)} x2=${x(at)} y1="0" y2=${height - 20} />
              <text class="tick" x=${x(at)} y=${height - 5} text-anchor="middle">${seconds(at)}</text></g>`)}
          ${rows.map((row, n) => html`
            <g key=${n} class=${row.kind}>
              <text class="name" x="0" y=${n * ROW + 14}>${row.name}</text>
              ${row.spans.map((span, at) => html`
                <rect key=${at} x=${x(span.began_s)} y=${n * ROW + 4} rx="3" height="12" width=${Math.max(3, x(endOf(span)) - x(span.began_s))} />`)}
            </g>`)}
        </svg>
      </figure>
    <//>
  `;
}

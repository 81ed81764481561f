// Pictures as SVG: lines, intervals and votes. Each has its figures as text beside it.
import { html } from './html.js';
import { useWidth } from './data.js';

/** Points of a line beyond which it has no dots. */
const MOST_DOTS = 20;
const PAD = { top: 12, right: 16, bottom: 30, left: 46 };

/** Round figures that span a range. */
export function ticks(low, high, most = 5) {
  const span = high - low || 1;
  const rough = span / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((each) => each >= rough);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step) {
    found.push(Number(at.toPrecision(12)));
  }
  return found;
}

function scale(from, to) {
  const span = from[1] - from[0] || 1;
  return (value) => to[0] + ((value - from[0]) / span) * (to[1] - to[0]);
}

/** Lines over a common axis: `series` are `{name, points: [[x, y]]}`, at most four; `whole`: of counts. */
export function Lines({ label, series, low, high, whole = false, form = String, xName = '', height = 240 }) {
  const [box, width] = useWidth();
  const all = series.flatMap((each) => each.points);
  const xs = all.map(([x]) => x);
  const ys = all.map(([, y]) => y);
  const left = Math.min(...xs);
  const right = Math.max(...xs);
  const bottom = low ?? Math.min(...ys);
  const top = high ?? (Math.max(...ys) === bottom ? bottom + 1 : Math.max(...ys));
  const ends = [PAD.left, width - PAD.right];
  const x = left === right ? () => (ends[0] + ends[1]) / 2 : scale([left, right], ends);
  const y = scale([bottom, top], [height - PAD.bottom, PAD.top]);
  const up = ticks(bottom, top, 4).filter((at) => !whole || Number.isInteger(at));
  const across = ticks(left, right, Math.max(2, Math.floor(width / 70))).filter(Number.isInteger);
  return html`
    <figure class="chart">
      <${Legend} series=${series} />
      <div ref=${box}>
        <svg width=${width} height=${height} role="img" aria-label=${label}>
          ${up.map((at) => html`
            <g key=${at}>
              <line class="grid" x1=${PAD.left} x2=${width - PAD.right} y1=${y(at)} y2=${y(at)} />
              <text class="tick" x=${PAD.left - 8} y=${y(at) + 4} text-anchor="end">${form(at)}</text>
            </g>`)}
          ${across.map((at) => html`
            <text key=${at} class="tick" x=${x(at)} y=${height - 10} text-anchor="middle">${at}</text>`)}
          <text class="tick" x=${width - PAD.right} y=${height - 10} text-anchor="end">
            ${across.length < width / 90 ? xName : ''}</text>
          ${series.map((each, n) => html`<${Line} key=${each.name} n=${n} points=${each.points} x=${x} y=${y} />`)}
        </svg>
      </div>
    </figure>
  `;
}

function Line({ n, points, x, y }) {
  const d = points.map(([a, b], at) => `${at ? 'L' : 'M'}${x(a).toFixed(1)} ${y(b).toFixed(1)}`);
  return html`
    <g class=${`series s${n}`}>
      <path class="stroke" d=${d.join('')} />
      ${points.length <= MOST_DOTS && points.map(([a, b]) => html`<${Dot} key=${a} n=${n} cx=${x(a)} cy=${y(b)} />`)}
    </g>
  `;
}

/** A series has a shape of its own beside its colour. */
function Dot({ n, cx, cy }) {
  if (n === 1) return html`<rect class="dot" x=${cx - 3.5} y=${cy - 3.5} width="7" height="7" />`;
  if (n === 2) return html`<path class="dot" d=${`M${cx} ${cy - 5}l5 8h-10z`} />`;
  return html`<circle class=${n === 3 ? 'dot ring' : 'dot'} cx=${cx} cy=${cy} r="3.8" />`;
}

function Legend({ series }) {
  if (series.length < 2) return null;
  return html`
    <figcaption class="legend">
      ${series.map((each, n) => html`
        <span key=${each.name}>
          <svg class=${`series s${n}`} width="26" height="12" aria-hidden="true">
            <path class="stroke" d="M1 6H25" /><${Dot} n=${n} cx=${13} cy=${6} />
          </svg>${each.name}
        </span>`)}
    </figcaption>
  `;
}

/** Estimates between their bounds, a row each: `{name, value, low, high, text}`. */
export function Intervals({ label, rows, zero = null, low, high, form = String }) {
  const [box, width] = useWidth();
  const known = rows.filter((row) => row.value != null);
  if (!known.length) return null;
  const start = low ?? Math.min(zero ?? Infinity, ...known.map((row) => row.low ?? row.value));
  const end = high ?? Math.max(zero ?? -Infinity, ...known.map((row) => row.high ?? row.value));
  const names = Math.min(130, width * 0.32);
  const texts = width > 460 ? 150 : 64;
  const spread = (end - start || 1) * 0.04;
  const x = scale([start - spread, end + spread], [names + 8, width - texts - 8]);
  const height = rows.length * 32 + 28;
  return html`
    <figure class="chart" ref=${box}>
      <svg width=${width} height=${height} role="img" aria-label=${label}>
        ${ticks(start, end, Math.max(2, Math.floor(width / 150))).map((at) => html`
          <g key=${at}>
            <line class=${at === zero ? 'grid zero' : 'grid'} x1=${x(at)} x2=${x(at)} y1="4" y2=${height - 24} />
            <text class="tick" x=${x(at)} y=${height - 8} text-anchor="middle">${form(at)}</text>
          </g>`)}
        ${rows.map((row, n) => html`
          <${Whisker} key=${row.name} row=${row} y=${n * 32 + 20} x=${x} width=${width}
            texts=${texts} zero=${zero} />`)}
      </svg>
    </figure>
  `;
}

function Whisker({ row, y, x, width, texts, zero }) {
  const sure = zero != null && row.low != null && (row.low > zero || row.high < zero);
  const kind = !sure ? 'unsure' : row.low > zero ? 'up' : 'down';
  return html`
    <g class=${`whisker ${zero == null ? 'up' : kind}`}>
      <text class="name" x="0" y=${y + 4}>${row.name}</text>
      ${row.value != null && html`
        ${row.low != null && html`
          <line class="stroke" x1=${x(row.low)} x2=${x(row.high)} y1=${y} y2=${y} />`}
        <circle class="dot" cx=${x(row.value)} cy=${y} r="5" />`}
      <text class="figure" x=${width} y=${y + 4} text-anchor="end">
        ${texts > 100 ? row.text : (row.brief ?? row.text)}</text>
    </g>
  `;
}

/** How the votes fell: `votes` are `{answer, count}`, the leader first. */
export function Votes({ votes, total }) {
  const all = total ?? votes.reduce((sum, vote) => sum + vote.count, 0);
  return html`
    <ol class="votes" aria-label="Votes">
      ${votes.map((vote, n) => html`
        <li key=${vote.answer ?? ''} class=${n === 0 ? 'leader' : ''}>
          <span class="vote-answer">${vote.answer ?? 'no answer read'}</span>
          <span class="vote-count">${vote.count}<span class="hidden"> of ${all} votes</span></span>
          <span class="bar" aria-hidden="true"><i style=${{ width: `${(100 * vote.count) / Math.max(all, 1)}%` }} /></span>
        </li>`)}
    </ol>
  `;
}

/** Parts of a whole, as a bar with its legend: `parts` are `[name, value, text]`. */
export function Parts({ label, parts }) {
  const known = parts.filter(([, value]) => value > 0);
  const all = known.reduce((sum, [, value]) => sum + value, 0);
  if (!known.length) return null;
  return html`
    <figure class="parts">
      <div class="parts-bar" aria-hidden="true">
        ${known.map(([name, value], n) => html`
          <i key=${name} class=${`p${n % 6}`} style=${{ flexGrow: value / all }} />`)}
      </div>
      <figcaption><span class="hidden">${label}: </span>
        ${known.map(([name, , text], n) => html`
          <span key=${name}><i class=${`p${n % 6}`} aria-hidden="true" />${name} <b>${text}</b></span>`)}
      </figcaption>
    </figure>
  `;
}

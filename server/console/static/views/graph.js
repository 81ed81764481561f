// The lineage of versions as a picture: time runs to the right, a branch has a row of its own.
import { html, useEffect } from '../lib/html.js';
import { useWidth } from '../lib/data.js';
import { percent } from '../lib/format.js';
import { to } from '../lib/router.js';
import { Scrolled } from '../lib/ui.js';

const STEP = { least: 72, most: 150 };
const ROW = 64;
const BASE = null;

/** What is served, and what it grew from. */
function mainLine(versions) {
  const known = new Map(versions.map((version) => [version.id, version]));
  const line = new Set();
  let at = versions.find((version) => version.aliases.includes('champion')) ?? versions.at(-1);
  while (at && !line.has(at.id)) {
    line.add(at.id);
    at = known.get(at.parent);
  }
  return line;
}

/** Return where each version stands: what is served on the first row, side branches below it. */
export function layout(versions) {
  const order = [...versions].sort((a, b) => a.created_at - b.created_at || (a.number ?? 0) - (b.number ?? 0));
  const line = mainLine(order);
  const places = new Map([[BASE, { column: 0, row: 0 }]]);
  const ends = [];
  order.forEach((version, n) => {
    const parent = places.has(version.parent) ? version.parent : BASE;
    const column = n + 1;
    const row = line.has(version.id) ? 0 : freeRow(ends, parent, places.get(parent));
    ends[row] = { id: version.id, column };
    places.set(version.id, { column, row, parent });
  });
  return { order, places, rows: Math.max(1, ends.length) };
}

/** A branch goes on in its own row; another begins in the first whose last one stands further left. */
function freeRow(ends, parent, above) {
  if (above.row > 0 && ends[above.row].id === parent) return above.row;
  let row = 1;
  while (ends[row] && ends[row].column > above.column) row += 1;
  return row;
}

export function Graph({ versions }) {
  const [box, room] = useWidth(900);
  const { order, places, rows } = layout(versions);
  const step = Math.min(STEP.most, Math.max(STEP.least, (room - 80) / order.length));
  const at = (id) => ({ x: 34 + places.get(id).column * step, y: 30 + places.get(id).row * ROW });
  const width = 68 + order.length * step;
  const served = at(order.find((version) => version.aliases.includes('champion'))?.id ?? BASE).x;
  useEffect(() => {
    const [view] = box.current.children;
    view.scrollLeft = served - room / 2;  // what is served is in sight, however long the lineage is
  }, [served, room]);
  return html`
    <div ref=${box}><${Scrolled} label="Lineage of the versions">
      <svg class="graph" width=${width} height=${rows * ROW + 24} role="group" aria-label="Lineage: each version after its parent">
        ${order.map((version) => html`<path key=${version.id} class="edge" d=${edge(at(places.get(version.id).parent), at(version.id))} />`)}
        <g class="node base"><circle cx=${at(BASE).x} cy=${at(BASE).y} r="9" /><text x=${at(BASE).x} y=${at(BASE).y + 28} text-anchor="middle">base</text></g>
        ${order.map((version) => html`<${Node} key=${version.id} version=${version} ...${at(version.id)} />`)}
      </svg>
    <//></div>
    <p class="legend graph-legend">
      <span><i class="key champion" />champion</span><span><i class="key" />passed</span><span><i class="key rejected" />rejected or retired</span>
    </p>
  `;
}

function edge(from, end) {
  const middle = (from.x + end.x) / 2;
  return from.y === end.y ? `M${from.x} ${from.y}H${end.x}` : `M${from.x} ${from.y}C${middle} ${from.y} ${middle} ${end.y} ${end.x} ${end.y}`;
}

function Node({ version, x, y }) {
  const state = stateOf(version);
  const name = version.number == null ? version.id.slice(-6) : `${version.number}`;
  const right = version.metrics.accuracy?.candidate;
  return html`
    <a class=${`node ${state}`} href=${to('adapters', version.id)} aria-label=${`Generation ${name}, ${state}${right == null ? '' : `, ${percent(right)} right`}`}>
      <circle cx=${x} cy=${y} r="15" />
      <text class="number" x=${x} y=${y + 4.5} text-anchor="middle">${name}</text>
      <text x=${x} y=${y + 32} text-anchor="middle">${percent(right)}</text>
    </a>
  `;
}

function stateOf(version) {
  if (version.aliases.includes('champion')) return 'champion';
  return version.rejected || version.retired ? 'rejected' : 'passed';
}

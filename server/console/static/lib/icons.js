// A few line icons; they repeat what stands beside them, and are hidden from readers.
import { html } from './html.js';

const PATHS = {
  live: ['M3 12h4l3-8 4 16 3-8h4'],
  traces: ['M4 6h16', 'M4 12h16', 'M4 18h10'],
  playground: ['M7 5l11 7-11 7z'],
  memory: ['M4 6c0-3 16-3 16 0v12c0 3-16 3-16 0z', 'M4 6c0 3 16 3 16 0', 'M4 12c0 3 16 3 16 0'],
  review: ['M9 11l3 3 8-8', 'M20 13v6H4V5h10'],
  adapters: ['M6 4v16', 'M6 14c8 0 12-2 12-8', 'M15 8l3-3 3 3'],
  learning: ['M4 4v16h16', 'M7 15l4-5 3 3 5-7'],
  ledger: ['M12 4v16', 'M5 8h14', 'M5 8l-3 6h6z', 'M19 8l-3 6h6z'],
  evaluations: ['M5 20V10', 'M12 20V4', 'M19 20v-7'],
  jobs: ['M12 3v4', 'M12 17v4', 'M3 12h4', 'M17 12h4', 'M6 6l2.5 2.5', 'M15.5 15.5L18 18', 'M6 18l2.5-2.5', 'M15.5 8.5L18 6'],
  access: ['M15 9a4 4 0 1 0-3.9 5L9 16v2H7v2H4v-3l5.2-5.2', 'M16 8h.01'],
  inbox: ['M4 13l2-8h12l2 8v6H4z', 'M4 13h5l1 3h4l1-3h5'],
  alert: ['M12 4l9 16H3z', 'M12 10v4', 'M12 17h.01'],
  menu: ['M4 7h16', 'M4 12h16', 'M4 17h16'],
  stop: ['M7 7h10v10H7z'],
};

export function Icon({ name }) {
  return html`
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      ${PATHS[name].map((d) => html`<path key=${d} d=${d} />`)}
    </svg>
  `;
}

/** The mark: an edge on a stone. */
export function Mark() {
  return html`
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect class="mark-ground" width="32" height="32" rx="8" />
      <path class="mark-edge" d="M7 19.5 24.5 8 20 19.5z" />
      <path class="mark-stone" d="M7 23.5h18" />
    </svg>
  `;
}

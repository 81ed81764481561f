// Which view the address names: `#/traces/ID?tab=samples`.
import { useEffect, useState } from './html.js';

export function place(hash = location.hash) {
  const [path, search = ''] = hash.replace(/^#\/?/, '').split('?');
  const [view = '', ...rest] = path.split('/').map(decoded);
  return { view, id: rest.join('/'), search: new URLSearchParams(search) };
}

/** A part of an address that somebody typed may not be one. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Return the address of a view, for a link. */
export function to(view, id = '', search = {}) {
  const kept = Object.entries(search).filter(([, value]) => value !== '' && value != null);
  const tail = kept.length ? `?${new URLSearchParams(kept)}` : '';
  return `#/${[view, id].filter(Boolean).map(encodeURIComponent).join('/')}${tail}`;
}

export function usePlace() {
  const [found, move] = useState(place);
  useEffect(() => {
    const follow = () => move(place());
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return found;
}

/** Change the address without a step in the history: of filters and tabs. */
export function settle(hash) {
  history.replaceState(null, '', hash);
  dispatchEvent(new HashChangeEvent('hashchange'));
}

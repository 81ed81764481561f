// What views know of the server, as it is loaded, refreshed and added to.
import { useCallback, useEffect, useRef, useState } from './html.js';

/**
 * Load with `load(signal)`, again whenever `inputs` change, and every `every` ms where that is said.
 * What was there stays until the new is: `isLoading` says that it is old.
 */
export function useData(load, inputs, every = 0) {
  const [state, set] = useState({ data: null, error: null, isLoading: true });
  const [turn, again] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    set((before) => ({ ...before, isLoading: true }));
    load(stop.signal).then(
      (data) => stop.signal.aborted || set({ data, error: null, isLoading: false }),
      (error) => stop.signal.aborted || set(({ data }) => ({ data, error, isLoading: false })),
    );
    return () => stop.abort();
  }, [...inputs, turn]);
  useEffect(() => {
    if (!every) return undefined;
    const tick = () => document.hidden || again((before) => before + 1);
    const timer = setInterval(tick, every);
    return () => clearInterval(timer);
  }, [every]);
  const reload = useCallback(() => again((before) => before + 1), []);
  return { ...state, reload };
}

/** A list that is read page by page: `load(after, signal)` returns a page as OpenAI shapes it. */
export function usePages(load, inputs) {
  const [more, set] = useState({ rows: [], last: null, isLoading: false, error: null });
  const first = useData((signal) => load(null, signal), inputs);
  const of = useRef(null);
  if (of.current !== first.data) {
    of.current = first.data;
    if (more.rows.length) set({ rows: [], last: null, isLoading: false, error: null });
  }
  const last = more.last ?? first.data;
  const next = async () => {
    set((before) => ({ ...before, isLoading: true }));
    try {
      const page = await load(last.data.at(-1).id);
      set(({ rows }) => ({ rows: [...rows, ...page.data], last: page, isLoading: false }));
    } catch (error) {
      set((before) => ({ ...before, isLoading: false, error }));
    }
  };
  return {
    rows: first.data ? [...first.data.data, ...more.rows] : null,
    hasMore: Boolean(last?.has_more),
    error: first.error ?? more.error,
    isLoading: first.isLoading || more.isLoading,
    next,
    reload: first.reload,
  };
}

/** The width of an element, as it is and as it becomes. */
export function useWidth(start = 640) {
  const box = useRef(null);
  const [width, set] = useState(start);
  useEffect(() => {
    if (!box.current) return undefined;
    const watching = new ResizeObserver(([entry]) => set(Math.round(entry.contentRect.width)));
    watching.observe(box.current);
    return () => watching.disconnect();
  }, []);
  return [box, width];
}

/** The present moment, every `every` ms while `isOn`. */
export function useNow(isOn, every = 250) {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    if (!isOn) return undefined;
    const timer = setInterval(() => set(Date.now()), every);
    return () => clearInterval(timer);
  }, [isOn, every]);
  return now;
}

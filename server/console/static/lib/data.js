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

/**
 * A list that is read page by page: `load(after, signal)` returns a page as OpenAI shapes it.
 * Read anew, it has as many pages as were shown; with other `inputs` it begins with the first.
 */
export function usePages(load, inputs) {
  const wanted = useRef({ count: 1, known: [] });
  useEffect(() => {
    wanted.current = { count: 1, known: [] };
  }, inputs);
  const { data: pages, error, isLoading, reload } = useData(async (signal) => {
    const { count, known } = wanted.current;
    wanted.current = { count, known: [] };
    const read = [...known];
    while (read.length < count && (read.at(-1)?.has_more ?? true)) {
      read.push(await load(read.at(-1)?.data.at(-1).id ?? null, signal));
    }
    return read;
  }, inputs);
  const next = () => {
    wanted.current = { count: pages.length + 1, known: pages };
    reload();
  };
  return {
    rows: pages?.flatMap((page) => page.data) ?? null,
    hasMore: Boolean(pages?.at(-1).has_more),
    error,
    isLoading,
    next,
    reload,
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

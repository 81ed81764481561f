// How the page asks the server: the key, errors as sentences, streams.

const KEY = 'whet.key';
/** The page is at `console`, behind whatever prefix a proxy adds. */
const BASE = new URL('.', location.href);
const UNREACHABLE = 'The server cannot be reached. Is it running?';

/** What went wrong, in a sentence that can be shown. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? '',
  set: (value) => sessionStorage.setItem(KEY, value),
  /** What was asked in its name goes with it. */
  forget: () => Object.keys(sessionStorage).filter((name) => name.startsWith('whet.')).forEach((name) => sessionStorage.removeItem(name)),
};

let unauthorised = () => {};
/** Call `tell` whenever the server asks for a key. */
export function onUnauthorised(tell) {
  unauthorised = tell;
}

function headers(body) {
  const found = {};
  if (key.get()) found.authorization = `Bearer ${key.get()}`;
  if (body !== undefined) found['content-type'] = 'application/json';
  return found;
}

async function problem(response) {
  let message = `The server answered ${response.status}.`;
  try {
    message = (await response.json()).error.message;
  } catch {
    // No JSON came, as from a proxy: the status has to do.
  }
  if (response.status === 401) unauthorised(message);
  return new ApiError(response.status, message);
}

async function send(method, path, { body, signal } = {}) {
  const url = new URL(path.replace(/^\//, ''), BASE);
  const text = body === undefined ? undefined : JSON.stringify(body);
  let response;
  try {
    response = await fetch(url, { method, body: text, headers: headers(body), signal });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, UNREACHABLE);
  }
  if (!response.ok) throw await problem(response);
  return response;
}

/** Ask, and return the JSON that comes. Raises `ApiError`. */
export async function ask(method, path, options) {
  const response = await send(method, path, options);
  return response.status === 204 ? null : response.json();
}

export const get = (path, options) => ask('GET', path, options);
export const post = (path, body = {}, options = {}) => ask('POST', path, { ...options, body });

/** Return a path with the parameters that have a value. */
export function query(path, given) {
  const kept = Object.entries(given).filter(([, value]) => value !== '' && value != null);
  return kept.length ? `${path}?${new URLSearchParams(kept)}` : path;
}

/**
 * Yield `{event, data}` of a stream of server-sent events; `EventSource` could send no key.
 * `opened` is called as soon as the server answers.
 */
export async function* events(method, path, { opened = () => {}, ...options }) {
  const response = await send(method, path, options);
  opened();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + value).replaceAll('\r\n', '\n').split('\n\n');
      rest = parts.pop();
      for (const part of parts) {
        const found = parsed(part);
        if (found) yield found;
      }
    }
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, 'The stream broke off.');
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parsed(part) {
  let event = 'message';
  const data = [];
  for (const line of part.split('\n')) {
    if (line.startsWith('event:')) event = line.slice(6).trim();
    if (line.startsWith('data:')) data.push(line.slice(5).trimStart());
  }
  if (!data.length || data[0] === '[DONE]') return null;
  return { event, data: JSON.parse(data.join('\n')) };
}

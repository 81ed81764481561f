// Numbers, moments and names as people read them.

const NONE = '–';
const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });

export const count = (value) => (value == null ? NONE : whole.format(value));
export const compact = (value) => (value == null ? NONE : short.format(value));

export function number(value, digits = 2) {
  return value == null ? NONE : Number(value).toFixed(digits);
}

export function percent(value, digits = 0) {
  return value == null ? NONE : `${(100 * value).toFixed(digits)} %`;
}

/** A difference, with its sign. */
export function signed(value, digits = 1) {
  if (value == null) return NONE;
  return `${value > 0 ? '+' : value < 0 ? '−' : ''}${Math.abs(value).toFixed(digits)}`;
}

/** A difference of shares, in percentage points. */
export const points = (value, digits = 1) => signed(value == null ? null : 100 * value, digits);

export function seconds(value) {
  if (value == null) return NONE;
  if (value > 0 && value < 0.00995) return `${(1000 * value).toFixed(1)} ms`;
  if (value < 0.0995) return `${Math.round(1000 * value)} ms`;
  if (value < 60) return `${value.toFixed(value < 10 ? 2 : 1)} s`;
  const minutes = Math.floor(value / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(value % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const asDate = (value) => new Date(typeof value === 'number' ? 1000 * value : value);

/** A moment: seconds since 1970, or text that says it. */
export function when(value) {
  return value == null ? NONE : moment.format(asDate(value));
}

/** How long ago something was. */
export function ago(value, now = Date.now()) {
  if (value == null) return NONE;
  const passed = (now - asDate(value).getTime()) / 1000;
  if (passed < 60) return passed < 5 ? 'just now' : `${Math.floor(passed)} s ago`;
  if (passed < 3600) return `${Math.floor(passed / 60)} min ago`;
  if (passed < 86400) return `${Math.floor(passed / 3600)} h ago`;
  return passed < 7 * 86400 ? `${Math.floor(passed / 86400)} d ago` : when(value);
}

export function clip(text, most = 160) {
  const line = String(text ?? '').replace(/\s+/g, ' ').trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}

/** The last part of a long id, which tells it from others. */
export const tail = (id) => (id && id.length > 16 ? `${id.split(/[_-]/)[0]}…${id.slice(-6)}` : id);

const words = (name) => name.replaceAll('_', ' ');
export const capital = (text) => text.replace(/^./, (first) => first.toUpperCase());
export const sentence = (name) => capital(words(name));

/** What was asked last, of a conversation. */
export function questionOf(messages) {
  return (messages ?? []).findLast((message) => message.role === 'user')?.content ?? '';
}

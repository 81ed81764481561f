// Requests while they are answered: each sample as it comes in, each vote as it falls.
import { html, useEffect, useReducer, useState } from '../lib/html.js';
import { events, get, key } from '../lib/api.js';
import { useData, useNow } from '../lib/data.js';
import { after, placesOf } from '../lib/requests.js';
import { ago, clip, count, percent, seconds } from '../lib/format.js';
import { to } from '../lib/router.js';
import { Votes } from '../lib/charts.js';
import { Badge, Button, Card, Copy, Empty, Page, Problem, Stat, Stats } from '../lib/ui.js';

const AGAIN_MS = 2_000;
const LATEST = 8;

/** Follow the stream until the view is left; it ends by itself now and then, and is opened again. */
function useLive(isOn) {
  const [requests, tell] = useReducer(after, []);
  const [state, set] = useState({ isOpen: false, error: null, missed: 0 });
  useEffect(() => {
    if (!isOn) return undefined;
    const stop = new AbortController();
    follow(stop.signal, tell, set);
    return () => stop.abort();
  }, [isOn]);
  return { requests, ...state };
}

async function follow(signal, tell, set) {
  while (!signal.aborted) {
    try {
      const opened = () => {
        tell({ event: 'opened' });
        set((before) => ({ ...before, isOpen: true, error: null }));
      };
      for await (const news of events('GET', '/v1/traces/live', { signal, opened })) {
        if (news.event === 'dropped') set((before) => ({ ...before, missed: before.missed + news.data.count }));
        else tell(news);
      }
    } catch (error) {
      if (error.name === 'AbortError') return;
      set((before) => ({ ...before, isOpen: false, error }));
      if ([401, 403, 404].includes(error.status)) return;
    }
    await new Promise((go) => setTimeout(go, AGAIN_MS));
  }
}

export function Live({ me }) {
  const [isOn, turn] = useState(true);
  const live = useLive(isOn);
  const running = live.requests.filter((request) => request.isRunning);
  return html`
    <${Page} title="Live" lead="Requests as they are answered. Each dot is a sample; samples with the same answer have the same colour, and the vote stops as soon as it is sure."
      actions=${html`
        <span class="pulse" data-on=${isOn && live.isOpen} role="status">${isOn ? (live.isOpen ? 'Watching' : 'Connecting…') : 'Paused'}</span>
        <${Button} onClick=${() => turn(!isOn)}>${isOn ? 'Pause' : 'Watch'}<//>`}>
      <${Problem} error=${live.error} />
      <${Counts} me=${me} running=${running.length} missed=${live.missed} />
      ${live.requests.length
        ? html`<div class="requests">${live.requests.map((request) => html`<${Request} key=${request.id} request=${request} />`)}</div>`
        : html`<${Nothing} me=${me} />`}
      <${Latest} />
    <//>
  `;
}

function Counts({ me, running, missed }) {
  return html`
    <${Stats}>
      <${Stat} name="Model" value=${me.models[0]} />
      <${Stat} name="Default strategy" value=${me.default_strategy} />
      <${Stat} name="Under way" value=${count(running)} />
      ${missed > 0 && html`<${Stat} name="Not shown" value=${count(missed)} note="too many at once" />`}
    <//>
  `;
}

function Nothing({ me }) {
  const call = callOf(me);
  return html`
    <${Empty} title="Nothing is being asked right now" icon="live">
      Requests appear here by themselves. Ask something in the <a href=${to('playground')}>playground</a>, or send one with any OpenAI client:
      <pre class="call" tabindex="0" aria-label="A request as a command">${call}</pre>
      <${Copy} text=${call} name="Copy the command" />
    <//>
  `;
}

/** A request as it is typed; a key is named, never shown. */
function callOf(me) {
  const base = location.origin + location.pathname.replace(/\/console$/, '');
  const body = { model: me.models[0], messages: [{ role: 'user', content: 'What is 17 + 25?' }] };
  return [
    `curl ${base}/v1/chat/completions`,
    "-H 'content-type: application/json'",
    ...(key.get() ? ['-H "authorization: Bearer $WHET_API_KEY"'] : []),
    `-d '${JSON.stringify(body)}'`,
  ].join(' \\\n  ');
}

function Request({ request: r }) {
  const now = useNow(r.isRunning);
  const passed = r.isRunning ? Math.max(0, now / 1000 - r.asked_at) : r.seconds;
  return html`
    <article class="card request" data-running=${r.isRunning}>
      <header class="card-head">
        <div><h2>${r.question ? clip(r.question, 110) : 'A request that keeps no content'}</h2>
          <p class="note">${r.strategy} · ${seconds(passed)}</p></div>
        <${Badge} as=${r.isRunning ? 'live' : undefined}>${r.isRunning ? 'sampling' : r.stop_reason}<//>
      </header>
      <${Dots} request=${r} />
      ${r.votes.length > 0
        ? html`<${Votes} votes=${r.votes} />`
        : html`<p class="muted">${r.isRunning ? 'Waiting for the first sample…' : (r.answer ?? (r.seconds == null ? 'Its end was not seen.' : 'No vote was needed.'))}</p>`}
      ${!r.isRunning && html`<p class="request-foot"><span>${r.agreement != null && `${percent(r.agreement)} agree`}</span> ${r.question != null && html`<a href=${to('traces', r.id)}>Trace</a>`}</p>`}
    </article>
  `;
}

function Dots({ request }) {
  if (!request.samples.length) return null;
  return html`
    <p class="dots" role="img" aria-label=${`${request.samples.length} samples`}>
      ${placesOf(request).map((place, n) => html`<i key=${n} class=${`d${place}`} />`)}
      ${request.isRunning && html`<i class="coming" />`}
    </p>
  `;
}

function Latest() {
  const latest = useData((signal) => get(`/v1/traces?limit=${LATEST}`, { signal }), [], 10_000);
  const rows = latest.data?.data ?? [];
  if (!rows.length) return null;
  return html`
    <${Card} title="Answered lately" actions=${html`<a href=${to('traces')}>All traces</a>`}>
      <ul class="rows">
        ${rows.map((t) => html`
          <li key=${t.id}>
            <a class="grow clamped" href=${to('traces', t.id)}>${clip(t.question) || t.id}</a>
            <span class="mono">${clip(t.answer, 30) || '–'}</span>
            <span class="muted">${t.strategy}</span>
            <span class="muted num">${ago(t.asked_at)}</span>
          </li>`)}
      </ul>
    <//>
  `;
}

// The page: who is looking, where they are, and the frame around every view.
import { html, render, useEffect, useLayoutEffect, useRef, useState } from './lib/html.js';
import { get, key, onUnauthorised } from './lib/api.js';
import { usePlace, to } from './lib/router.js';
import { Dialogs } from './lib/dialogs.js';
import { Icon, Mark } from './lib/icons.js';
import { Button, Empty, Field, Loading, Page, Problem } from './lib/ui.js';
import { Live } from './views/live.js';
import { Trace, Traces } from './views/traces.js';
import { Playground } from './views/playground.js';
import { Memory } from './views/memory.js';
import { OneRecord } from './views/record.js';
import { Review } from './views/review.js';
import { Adapters } from './views/adapters.js';
import { Version } from './views/version.js';
import { Learning } from './views/learning.js';
import { Ledger } from './views/ledger.js';
import { Evaluations } from './views/evaluations.js';
import { EvalRun } from './views/eval_run.js';
import { Job, Jobs } from './views/jobs.js';
import { Access } from './views/access.js';

const RANK = { user: 1, reviewer: 2, admin: 3 };
/** Every view: its name, the role it asks for, what shows all and what shows one. */
const VIEWS = {
  live: { name: 'Live', all: Live, needs: 'reviewer', group: 'Requests' },
  traces: { name: 'Traces', all: Traces, one: Trace, needs: 'reviewer', group: 'Requests' },
  playground: { name: 'Playground', all: Playground, needs: 'user', group: 'Requests' },
  memory: { name: 'Memory', all: Memory, one: OneRecord, needs: 'reviewer', group: 'Memory' },
  review: { name: 'Review', all: Review, needs: 'reviewer', group: 'Memory' },
  adapters: { name: 'Adapters', all: Adapters, one: Version, needs: 'reviewer', group: 'Learning' },
  learning: { name: 'Learning curves', all: Learning, needs: 'reviewer', group: 'Learning' },
  ledger: { name: 'Ledger', all: Ledger, needs: 'reviewer', group: 'Measured' },
  evaluations: { name: 'Evaluations', all: Evaluations, one: EvalRun, needs: 'user', group: 'Measured' },
  jobs: { name: 'Jobs', all: Jobs, one: Job, needs: 'reviewer', group: 'Operation' },
  access: { name: 'Tenants & keys', all: Access, needs: 'admin', group: 'Operation' },
};

/** Who is looking, and what they may do. */
function principal(said) {
  const rank = RANK[said.role] ?? 1;
  return { ...said, may: (role) => rank >= RANK[role], isOperator: said.is_operator };
}

/** Who was looking when this tab was loaded before: shown at once, and asked anew meanwhile. */
const kept = {
  get: () => JSON.parse(sessionStorage.getItem('whet.me') ?? 'null'),
  set: (said) => (said ? sessionStorage.setItem('whet.me', JSON.stringify(said)) : sessionStorage.removeItem('whet.me')),
};

async function asked() {
  const said = await get('/v1/console');
  kept.set(said);
  return principal(said);
}

function App() {
  const [me, setMe] = useState(() => kept.get() && principal(kept.get()));
  const [error, setError] = useState(null);
  const [refused, setRefused] = useState(null);
  const look = async () => {
    setError(null);
    try {
      setMe(await asked());
      setRefused(null);
    } catch (problem) {
      kept.set(null);
      if (problem.status !== 401) setError(problem);
    }
  };
  useEffect(() => {
    onUnauthorised(setRefused);
    look();
  }, []);
  const leave = () => {
    key.forget();
    setMe(null);
    setRefused(null);
    look();
  };
  if (refused != null) return html`<${SignIn} refused=${error?.message ?? refused} look=${look} />`;
  if (error) return html`<main class="alone"><${Problem} error=${error} retry=${look} /></main>`;
  if (!me) return html`<main class="alone"><${Loading} /></main>`;
  return html`<${Shell} me=${me} leave=${leave} /><${Dialogs} />`;
}

function SignIn({ refused, look }) {
  const [isBusy, setBusy] = useState(false);
  const wasAsked = Boolean(key.get());
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    key.set(new FormData(event.target).get('key').trim());
    await look();
    setBusy(false);
  };
  useLayoutEffect(() => {
    document.title = 'Sign in · Whet';
  }, []);
  return html`
    <main class="alone">
      <form class="card sign-in" onSubmit=${submit}>
        <${Mark} />
        <h1>Whet</h1>
        <p class="note">This server asks for a key. It stays in this tab, and is gone when the tab is closed.</p>
        <${Field} label="API key">
          <input name="key" type="password" autocomplete="off" spellcheck="false" required autofocus
            pattern="\\s*[\\x21-\\x7e]+\\s*" title="A key has no spaces, and no letters beyond A to Z." />
        <//>
        ${wasAsked && html`<${Problem} error=${{ message: refused }} />`}
        <${Button} kind="primary" type="submit" busy=${isBusy}>Open the console<//>
        <p class="hint">An operator makes keys with <code>whet keys create</code>.</p>
      </form>
    </main>
  `;
}

function Shell({ me, leave }) {
  const place = usePlace();
  const [isOpen, open] = useState(false);
  const isFirst = useRef(true);
  const start = me.may('reviewer') ? 'live' : 'playground';
  const name = place.view || start;
  useLayoutEffect(() => {
    open(false);
    if (!isFirst.current) document.querySelector('h1')?.focus();
    isFirst.current = false;
    scrollTo(0, 0);
  }, [name, place.id]);
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <div class="shell">
      <header class="top">
        <a class="brand" href=${to(start)}><${Mark} /><span>Whet</span></a>
        <button type="button" class="menu" aria-expanded=${isOpen} aria-controls="nav"
          onClick=${() => open(!isOpen)}><${Icon} name="menu" />Menu</button>
        <nav id="nav" aria-label="Views" data-open=${isOpen}>
          <${Groups} me=${me} current=${name} />
          <${Who} me=${me} leave=${leave} />
        </nav>
      </header>
      <main id="main" tabindex="-1"><${View} key=${`${name}/${place.id}`} name=${name} place=${place} me=${me} /></main>
    </div>
  `;
}

function skip(event) {
  event.preventDefault();
  document.getElementById('main').focus();
}

function Groups({ me, current }) {
  const shown = Object.entries(VIEWS).filter(([, view]) => me.may(view.needs));
  const groups = Object.groupBy(shown, ([, view]) => view.group);
  return Object.entries(groups).map(([group, views]) => html`
    <div class="nav-group" key=${group}>
      <p id=${`nav-${group}`}>${group}</p>
      <ul aria-labelledby=${`nav-${group}`}>
        ${views.map(([name, view]) => html`
          <li key=${name}>
            <a href=${to(name)} aria-current=${name === current ? 'page' : undefined}>
              <${Icon} name=${name} />${view.name}
            </a>
          </li>`)}
      </ul>
    </div>`);
}

function Who({ me, leave }) {
  return html`
    <div class="who">
      <p><b>${me.tenant}</b> <span class="muted">${me.role}</span></p>
      <p class="muted">Whet ${me.version}</p>
      ${key.get() && html`<${Button} kind="small" onClick=${leave}>Sign out<//>`}
    </div>
  `;
}

function View({ name, place, me }) {
  const view = VIEWS[name];
  const Shown = view && (place.id ? view.one : view.all);
  if (!Shown) {
    return html`
      <${Page} title="Not found">
        <${Empty} title="There is no such view">Choose one of the menu.<//>
      <//>`;
  }
  if (!me.may(view.needs)) {
    return html`
      <${Page} title=${view.name}>
        <${Empty} title=${`This view asks for the role ${view.needs}`}>
          The key of this tab has the role ${me.role}.
        <//>
      <//>`;
  }
  return html`<${Shown} place=${place} me=${me} />`;
}

render(html`<${App} />`, document.getElementById('app'));

// One question, several strategies side by side: each streams its votes and its answer.
import { html, useEffect, useRef, useState } from '../lib/html.js';
import { events } from '../lib/api.js';
import { meaning } from '../lib/words.js';
import { Button, Card, Empty, Field, Page, Problem } from '../lib/ui.js';
import { Outcome } from './outcome.js';

const MOST = 4;
const FIRST = ['plain', 'consistency', 'auto'];
const EXAMPLES = [
  'Tom has 12 apples. He buys 7 more and gives 5 away. How many apples does Tom have?',
  'What is 17 + 25?',
  'A train leaves at 9:40 and arrives at 13:15. How long does it take?',
];
const KEPT = 'whet.playground';

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}

/** What one column came to so far, from the stream's chunks. */
function added(run, chunk) {
  const text = chunk.choices?.[0]?.delta?.content ?? '';
  const said = chunk.adaptation;
  return {
    ...run,
    id: chunk.id ?? run.id,
    text: run.text + text,
    votes: said?.progress?.votes ?? said?.votes ?? run.votes,
    report: said && !said.progress ? said : run.report,
  };
}

const begun = ({ write: isKept }) => ({ isRunning: true, isKept, text: '', votes: null, report: null, error: null, began: Date.now() });

export function Playground({ me }) {
  const before = kept();
  const [question, ask] = useState(before.question ?? '');
  const [chosen, choose] = useState(before.chosen ?? FIRST.filter((name) => me.strategies.includes(name)));
  const [asked, set] = useState({ model: basesOf(me)[0], samples: 8, temperature: 0.8, read: true, write: true });
  const [runs, setRuns] = useState({});
  const stop = useRef(null);
  const isRunning = Object.values(runs).some((run) => run.isRunning);
  useEffect(() => () => stop.current?.abort(), []);
  useEffect(() => sessionStorage.setItem(KEPT, JSON.stringify({ question, chosen })), [question, chosen]);
  const change = (name, fn) => setRuns((all) => ({ ...all, [name]: fn(all[name]) }));
  const one = async (name, signal) => {
    try {
      const body = bodyOf(question, name, asked);
      for await (const { data } of events('POST', '/v1/chat/completions', { body, signal })) {
        if (data.error) throw data.error;
        change(name, (run) => added(run, data));
      }
    } catch (error) {
      if (error.name !== 'AbortError') change(name, (run) => ({ ...run, error }));
    } finally {
      change(name, (run) => ({ ...run, isRunning: false, ended: Date.now(), isStopped: signal.aborted }));
    }
  };
  const start = (event) => {
    event?.preventDefault();
    if (isRunning || !question.trim() || !chosen.length) return;
    stop.current = new AbortController();
    setRuns(Object.fromEntries(chosen.map((name) => [name, begun(asked)])));
    chosen.forEach((name) => one(name, stop.current.signal));
  };
  const submitByKey = (event) => event.key === 'Enter' && (event.ctrlKey || event.metaKey) && start(event);
  return html`
    <${Page} title="Playground" lead="Put one question to several strategies at once, and see what each answers, how its votes fall and what it costs.">
      <${Card}>
        <form class="stack" onSubmit=${start}>
          <${Field} label="Question">
            <textarea rows="3" value=${question} onInput=${(e) => ask(e.target.value)} onKeyDown=${submitByKey}
              placeholder="Ask something that has one right answer"></textarea>
          <//>
          ${!question && html`<${Examples} ask=${ask} />`}
          <${Strategies} all=${me.strategies} chosen=${chosen} choose=${choose} />
          <${Settings} me=${me} asked=${asked} set=${set} />
          <div class="actions">
            <${Button} kind="primary" type="submit" icon="playground" busy=${isRunning} disabled=${!question.trim() || !chosen.length}>Ask<//>
            ${isRunning && html`<${Button} icon="stop" onClick=${() => stop.current.abort()}>Stop<//>`}
            <span class="hint keyboard">Ctrl + Enter asks as well.</span>
          </div>
        </form>
      <//>
      <${Runs} runs=${runs} />
    <//>
  `;
}

/** The models of the server, without the names that append a strategy. */
function basesOf(me) {
  return me.models.filter((name) => !me.strategies.some((strategy) => name.endsWith(`:${strategy}`)));
}

function bodyOf(question, strategy, asked) {
  return {
    model: asked.model,
    messages: [{ role: 'user', content: question }],
    stream: true,
    adaptation: {
      strategy,
      max_samples: Number(asked.samples),
      temperature: Number(asked.temperature),
      progress: true,
      memory: { read: asked.read, write: asked.write, reuse: asked.read },
    },
  };
}

function Examples({ ask }) {
  return html`
    <div class="examples" role="group" aria-label="Examples">
      ${EXAMPLES.map((text) => html`<button type="button" class="chip" key=${text} onClick=${() => ask(text)}>${text}</button>`)}
    </div>
  `;
}

function Strategies({ all, chosen, choose }) {
  const toggle = (name) => choose(chosen.includes(name) ? chosen.filter((each) => each !== name) : [...chosen, name]);
  return html`
    <fieldset>
      <legend class="field-name">Strategies <span class="muted">up to ${MOST}</span></legend>
      <div class="chips">
        ${all.map((name) => {
          const isChosen = chosen.includes(name);
          return html`
            <label class="chip" key=${name} data-on=${isChosen} title=${meaning(name)}>
              <input type="checkbox" checked=${isChosen} disabled=${!isChosen && chosen.length >= MOST} onChange=${() => toggle(name)} />
              ${name}
            </label>`;
        })}
      </div>
      <ul class="meanings hint">
        ${chosen.filter(meaning).map((name) => html`<li key=${name}><b>${name}</b> ${meaning(name)}</li>`)}
      </ul>
    </fieldset>
  `;
}

function Settings({ me, asked, set }) {
  const change = (name) => (event) =>
    set({ ...asked, [name]: event.target.type === 'checkbox' ? event.target.checked : event.target.value });
  return html`
    <details class="settings">
      <summary>Settings</summary>
      <div class="grid-fields">
        <${Field} label="Model">
          <select value=${asked.model} onChange=${change('model')}>
            ${basesOf(me).map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
          </select>
        <//>
        <${Field} label="Samples at most"><input type="number" min="1" max="64" value=${asked.samples} onInput=${change('samples')} /><//>
        <${Field} label="Temperature"><input type="number" min="0.1" max="2" step="0.1" value=${asked.temperature} onInput=${change('temperature')} /><//>
        <label class="check"><input type="checkbox" checked=${asked.read} onChange=${change('read')} /> Read memory</label>
        <label class="check"><input type="checkbox" checked=${asked.write} onChange=${change('write')} /> Write memory</label>
      </div>
    </details>
  `;
}

function Runs({ runs }) {
  const names = Object.keys(runs);
  if (!names.length) {
    return html`
      <${Empty} title="No answer yet" icon="playground">
        Write a question, choose strategies and ask. Plain draws one sample; the others draw several and compare them.
      <//>`;
  }
  return html`
    <div class="side-by-side" data-columns=${names.length}>
      ${names.map((name) => html`<${Outcome} key=${name} name=${name} run=${runs[name]} />`)}
    </div>
  `;
}

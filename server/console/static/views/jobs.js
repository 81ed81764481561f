// Offline work: how far it is, what it says, and what came of it.
import { html } from '../lib/html.js';
import { get, post, query } from '../lib/api.js';
import { useData, usePages } from '../lib/data.js';
import { ago, count, percent, sentence, seconds, tail, when } from '../lib/format.js';
import { settle, to } from '../lib/router.js';
import { confirmed, Form, opened, tell } from '../lib/dialogs.js';
import { Badge, Button, Card, Empty, Facts, Field, Loaded, Loading, More, Page, Problem, Table, Tree } from '../lib/ui.js';

const KINDS = ['distill', 'fine-tune', 'evaluate', 'tune', 'reindex', 'import', 'practise'];
const OPEN = ['queued', 'running', 'paused'];
const EVERY_MS = 3_000;

const COLUMNS = [
  { name: 'Job', wide: true, cell: (j) => html`<a href=${to('jobs', j.id)}>${sentence(j.kind)}</a> <span class="mono muted">${tail(j.id)}</span>` },
  { name: 'Status', cell: (j) => html`<${Badge}>${j.status}<//>` },
  { name: 'Progress', free: true, cell: (j) => html`<${Progress} job=${j} />` },
  { name: 'Took', numeric: true, cell: (j) => tookOf(j) },
  { name: 'Asked', cell: (j) => html`<time title=${when(j.created_at)}>${ago(j.created_at)}</time>` },
];

function tookOf({ started_at: start, ended_at: end }) {
  return start == null ? '–' : seconds(Math.max(0, (end ?? Date.now() / 1000) - start));
}

function Progress({ job }) {
  const { progress: p, status, error, waits_for: waits } = job;
  if (error) return html`<span class="muted">${error}</span>`;
  if (waits) return html`<span class="muted">waits for ${waits}</span>`;
  if (!p || !OPEN.includes(status)) return '–';
  const label = p.total ? `${p.phase}, ${p.done} of ${p.total}` : p.phase;
  return html`
    <span class="progress">
      <progress aria-label=${label} max=${p.total || undefined} value=${p.total ? p.done : undefined} />
      <span class="muted">${label}</span>
    </span>
  `;
}

export function Jobs({ place, me }) {
  const kind = place.search.get('kind') ?? '';
  const pages = usePages((after, signal) => get(query('/v1/jobs', { kind, after, limit: 50 }), { signal }), [kind]);
  const isMoving = !pages.isLoading && pages.rows?.some((job) => OPEN.includes(job.status));
  useData(async () => isMoving && pages.reload(), [], EVERY_MS);
  return html`
    <${Page} title="Jobs" lead="Distillation, evaluation, imports and the like: work that goes on while requests are answered."
      actions=${me.may('admin') && html`
        <${Button} onClick=${() => reindex(pages.reload)}>Rebuild the index<//>
        <${Button} kind="primary" onClick=${() => distill(pages.reload)}>Distil<//>`}>
      <div class="filters">
        <${Field} label="Kind" inline>
          <select value=${kind} onChange=${(e) => settle(to('jobs', '', { kind: e.target.value }))}>
            <option value="">all</option>
            ${KINDS.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
          </select>
        <//>
      </div>
      <${Problem} error=${pages.error} retry=${pages.reload} />
      ${pages.rows == null && !pages.error && html`<${Loading} />`}
      ${pages.rows?.length === 0 && html`<${Empty} title="No job yet" icon="jobs">
        ${me.may('admin') ? 'Distil what memory holds, or put a suite to the server under Evaluations.' : 'An admin begins them.'}<//>`}
      ${pages.rows?.length > 0 && html`<${Table} label="Jobs" columns=${COLUMNS} rows=${pages.rows} />`}
      <${More} pages=${pages} />
    <//>
  `;
}

function reindex(done) {
  confirmed({
    title: 'Rebuild the index?', text: 'Every record is embedded anew. Requests are answered meanwhile.', action: 'Rebuild',
    done: 'The rebuild waits for its turn.', run: async () => { await post('/v1/jobs', { kind: 'reindex' }); done(); },
  });
}

function distill(done) {
  opened({
    title: 'Distil a generation',
    text: 'Records are selected, a candidate is trained on them, and the gate decides about it.',
    children: (close) => html`
      <${Form} action="Distil" close=${close} send=${async ({ alpha, target, dry }) => {
        await post('/v1/jobs', { kind: 'distill', alpha: Number(alpha), target: target || null, dry_run: dry === 'on' });
        close();
        tell('The generation waits for its turn.');
        done();
      }}>
        <${Field} label="Chance of a wrong promotion" hint="Of this run, as the gate's error budget.">
          <input name="alpha" type="number" min="0.001" max="0.5" step="any" value="0.05" required autofocus />
        <//>
        <${Field} label="Target" hint="An evaluation suite to aim at; empty: the tenant's own records judge."><input name="target" maxlength="128" /><//>
        <label class="check"><input type="checkbox" name="dry" /> Only tell what would be selected</label>
      <//>`,
  });
}

export function Job({ place, me }) {
  const path = `/v1/jobs/${encodeURIComponent(place.id)}`;
  const job = useData((signal) => get(path, { signal }), [path], EVERY_MS);
  const j = job.data;
  return html`
    <${Page} title=${j ? `Job: ${j.kind}` : 'Job'} back=${{ to: to('jobs'), name: 'Jobs' }}
      actions=${j && me.may('admin') && OPEN.includes(j.status) && html`<${Wishes} job=${j} path=${path} changed=${job.reload} />`}>
      <${Loaded} of=${job}>${(found) => html`
        <${Problem} error=${found.error && { message: found.error }} />
        <div class="columns">
          <div><${Log} path=${path} isOpen=${OPEN.includes(found.status)} /></div>
          <div><${Standing} job=${found} /><${Result} job=${found} /></div>
        </div>`}<//>
    <//>
  `;
}

function Wishes({ job, path, changed }) {
  const wish = async (verb, text) => {
    try {
      await post(`${path}/${verb}`);
      tell(text);
    } catch (error) {
      tell(error.message);
    }
    changed();
  };
  const cancel = () => confirmed({
    title: 'Cancel the job?', text: 'What it did so far is lost where it cannot go on from it.', action: 'Cancel the job', isDanger: true,
    done: 'The job is being cancelled.', run: async () => { await post(`${path}/cancel`); changed(); },
  });
  return html`
    ${job.status === 'paused'
      ? html`<${Button} onClick=${() => wish('resume', 'The job goes on.')}>Resume<//>`
      : html`<${Button} onClick=${() => wish('pause', 'The job pauses within seconds.')}>Pause<//>`}
    <${Button} kind="danger-quiet" onClick=${cancel}>Cancel<//>
  `;
}

function Standing({ job: j }) {
  return html`
    <${Card} title="Standing" actions=${html`<${Badge}>${j.status}<//>`}>
      ${OPEN.includes(j.status) && html`<p><${Progress} job=${j} /></p>`}
      <${Facts} of=${[
        ['Wanted', j.wanted],
        ['Waits for', j.waits_for],
        ['Asked', when(j.created_at)],
        ['Started', j.started_at && when(j.started_at)],
        ['Ended', j.ended_at && when(j.ended_at)],
        ['Done by', j.estimated_finish && `${when(j.estimated_finish)}, as it goes`],
        ['Took', j.started_at && tookOf(j)],
        ['Id', html`<span class="mono">${j.id}</span>`],
      ]} />
    <//>
  `;
}

function Result({ job }) {
  if (!job.result) return null;
  const { adapter, accuracy } = job.result;
  return html`
    <${Card} title="What came of it">
      ${adapter && html`<p><a href=${to('adapters', adapter)}>Show the version</a> ${accuracy && html`<span class="muted">${percent(accuracy.current)} → ${percent(accuracy.candidate)} right</span>`}</p>`}
      ${job.kind === 'evaluate' && html`<p><a href=${to('evaluations')}>Show the figures</a></p>`}
      <details><summary>All of it</summary><${Tree} value=${job.result} /></details>
    <//>
  `;
}

function Log({ path, isOpen }) {
  // Read once more when the job has ended: what it said last is there by then.
  const events = useData((signal) => get(`${path}/events?limit=100`, { signal }), [path, isOpen], isOpen ? EVERY_MS : 0);
  return html`
    <${Card} title="Log" note="The newest first.">
      <${Loaded} of=${events}>${({ data, has_more: more }) =>
        data.length
          ? html`<ol class="timeline">
              ${data.map((event) => html`
                <li key=${event.id} class=${event.level}><time class="muted">${when(event.created_at)}</time>
                  ${event.level !== 'info' && html` <${Badge} as=${event.level === 'error' ? 'bad' : 'warn'}>${event.level}<//>`}
                  <p>${event.message}</p></li>`)}
            </ol>${more && html`<p class="muted">The last ${count(100)} lines; <code>whet jobs logs</code> has all.</p>`}`
          : html`<p class="muted">It has not said anything yet.</p>`}<//>
    <//>
  `;
}

// What was measured: suites put to what is served, and the tenant's own evaluations.
import { html } from '../lib/html.js';
import { get, post, query } from '../lib/api.js';
import { useData, usePages } from '../lib/data.js';
import { ago, compact, count, percent, points, seconds, sentence, when } from '../lib/format.js';
import { to } from '../lib/router.js';
import { Form, opened, tell } from '../lib/dialogs.js';
import { Intervals } from '../lib/charts.js';
import { Badge, Button, Card, Empty, Field, Loaded, More, Page, Problem, Table } from '../lib/ui.js';

export function Evaluations({ me }) {
  const isReviewer = me.may('reviewer');
  const suites = useData((signal) => (isReviewer ? get('/v1/jobs?kind=evaluate&limit=20', { signal }) : Promise.resolve({ data: [] })), []);
  const evals = usePages((after, signal) => get(query('/v1/evals', { limit: 50, after, order: 'desc' }), { signal }), []);
  const isEmpty = suites.data?.data.length === 0 && evals.rows?.length === 0;
  return html`
    <${Page} title="Evaluations" lead="How often each strategy is right, with intervals, and what your own graders found."
      actions=${me.may('admin') && html`<${Button} kind="primary" onClick=${() => begin(suites.reload)}>Evaluate<//>`}>
      ${isEmpty && html`<${Empty} title="Nothing was evaluated yet" icon="evaluations">
        ${me.may('admin') ? 'Press Evaluate: questions with known answers are put to this server, by several strategies.' : 'An admin puts suites to the server.'}
        Evaluations of your own are made with OpenAI's client (<code>client.evals.create</code>).<//>`}
      <${Loaded} of=${suites}>${({ data }) => data.map((job, n) => html`<${SuiteJob} key=${job.id} job=${job} isOpen=${n === 0} />`)}<//>
      <${Problem} error=${evals.error} retry=${evals.reload} />
      ${evals.rows?.map((each) => html`<${OneEval} key=${each.id} found=${each} />`)}
      <${More} pages=${evals} />
    <//>
  `;
}

function begin(done) {
  opened({
    title: 'Put suites to what is served',
    children: (close) => html`
      <${Form} action="Begin" close=${close} send=${async (values) => {
        const asked = { kind: 'evaluate', questions: Number(values.questions), suites: words(values.suites), arms: words(values.arms) };
        await post('/v1/jobs', asked);
        close();
        tell('The evaluation waits for its turn.');
        done();
      }}>
        <${Field} label="Suites" hint="Such as stories, units. Empty: all built-in ones."><input name="suites" autofocus /><//>
        <${Field} label="Arms" hint="What is compared: one (a single sample), vote (samples without Whet), vote-4, and the strategies."><input name="arms" value="one, vote, consistency" required /><//>
        <${Field} label="Questions of each suite"><input name="questions" type="number" min="1" max="10000" value="24" required /><//>
        <p class="hint">Each question is asked once for each arm: on a small machine 24 questions take minutes.</p>
      <//>`,
  });
}

const words = (text) => text.split(/[\s,]+/).filter(Boolean);

function SuiteJob({ job, isOpen }) {
  const { result } = job;
  if (!result?.suites) {
    return html`
      <${Card} title="Suites" note=${`Begun ${ago(job.created_at)}. ${job.error ?? ''}`} actions=${html`<${Badge}>${job.status}<//>`}>
        <a href=${to('jobs', job.id)}>Show the job</a>
      <//>`;
  }
  return html`
    <details class="section" open=${isOpen}>
      <summary><h2>Suites of ${when(job.ended_at ?? job.created_at)}</h2> <span class="muted">${result.header.model}, ${count(result.header.questions)} questions each</span></summary>
      <div class="chart-grid">
        ${result.suites.map((suite) => html`<${SuiteCard} key=${suite.name} suite=${suite} baseline=${result.baseline} />`)}
      </div>
    </details>
  `;
}

const ARMS = [
  { name: 'Arm', wide: true, cell: (a) => a.arm },
  { name: 'Right', numeric: true, cell: (a) => percent(a.right.value, 1) },
  { name: 'Points', numeric: true, cell: (a) => (a.against ? points(a.against.difference.value) : '–') },
  { name: 'Helped, hurt', numeric: true, cell: (a) => (a.against ? `${a.against.helped}, ${a.against.hurt}` : '–') },
  { name: 'Tokens', numeric: true, cell: (a) => compact(a.generated_tokens && Math.round(a.generated_tokens)) },
  { name: 'Time', numeric: true, cell: (a) => seconds(a.seconds?.value) },
];

const ARMS_SAY = 'One: a single sample. Vote-N: a vote of N samples that the client counts. Others: Whet’s strategies. Lines: 95 % intervals.';

function SuiteCard({ suite, baseline }) {
  const rows = suite.arms.map(({ arm, right }) => ({
    name: arm, ...right, text: `${percent(right.value, 1)} (${percent(right.low)} to ${percent(right.high)})`, brief: percent(right.value),
  }));
  const label = `Right answers of ${suite.name}: ${rows.map((row) => `${row.name} ${row.text}`).join('; ')}`;
  return html`
    <${Card} level=${3} title=${sentence(suite.name)} note=${`${sentence(suite.group)}; ${suite.arms[0]?.n} questions; beside ${baseline}.`}>
      <${Intervals} label=${label} rows=${rows} low=${0} high=${1} form=${(at) => percent(at)} />
      <p class="hint">${ARMS_SAY}</p>
      <${Table} label=${`Arms on ${suite.name}`} columns=${ARMS} rows=${suite.arms} keyOf=${(a) => a.arm} />
    <//>
  `;
}

const RUNS = [
  { name: 'Run', wide: true, cell: (r) => html`<a href=${to('evaluations', `${r.eval_id}/${r.id}`)}>${r.name || r.id}</a>` },
  { name: 'Status', cell: (r) => html`<${Badge}>${r.status}<//>` },
  { name: 'Model', free: true, cell: (r) => r.model || 'as answered' },
  { name: 'Passed', numeric: true, cell: (r) => `${count(r.result_counts.passed)} of ${count(r.result_counts.total)}` },
  { name: 'Errors', numeric: true, cell: (r) => count(r.result_counts.errored) },
  { name: 'Made', cell: (r) => html`<time title=${when(r.created_at)}>${ago(r.created_at)}</time>` },
];

function OneEval({ found }) {
  const runs = useData((signal) => get(`/v1/evals/${encodeURIComponent(found.id)}/runs?order=desc&limit=20`, { signal }), [found.id]);
  const graders = found.testing_criteria.map((each) => each.name).join(', ');
  return html`
    <${Card} flush title=${found.name || found.id} note=${`Graded by ${graders}.`}>
      <${Loaded} of=${runs} lines=${2}>${({ data }) =>
        data.length ? html`<${Table} label=${`Runs of ${found.name || found.id}`} columns=${RUNS} rows=${data} />` : html`<p class="muted pad">No run yet.</p>`}<//>
    <//>
  `;
}

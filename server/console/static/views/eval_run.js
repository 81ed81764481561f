// One run of an evaluation: what passed, and what came of each item.
import { html } from '../lib/html.js';
import { ask, get, query } from '../lib/api.js';
import { useData, usePages } from '../lib/data.js';
import { clip, count, number, percent } from '../lib/format.js';
import { settle, to } from '../lib/router.js';
import { confirmed } from '../lib/dialogs.js';
import { Badge, Button, Card, Choice, Empty, Loaded, More, Page, Problem, Stat, Stats, Tree } from '../lib/ui.js';

const OPEN = ['queued', 'in_progress'];

export function EvalRun({ place }) {
  const [evalId, runId] = place.id.split('/');
  const path = `/v1/evals/${encodeURIComponent(evalId)}/runs/${encodeURIComponent(runId)}`;
  const run = useData((signal) => get(path, { signal }), [path], 5_000);
  const cancel = () =>
    confirmed({
      title: 'End the run?', text: 'What has been graded is kept.', action: 'End the run', isDanger: true, done: 'The run ends.',
      run: async () => { await ask('POST', `${path}/cancel`); run.reload(); },
    });
  return html`
    <${Page} title=${run.data?.name || 'Run'} back=${{ to: to('evaluations'), name: 'Evaluations' }}
      actions=${OPEN.includes(run.data?.status) && html`<${Button} onClick=${cancel}>End the run<//>`}>
      <${Loaded} of=${run}>${(found) => html`<${Figures} run=${found} /><${Items} place=${place} path=${path} />`}<//>
    <//>
  `;
}

function Figures({ run }) {
  const { passed, failed, errored, total } = run.result_counts;
  return html`
    <${Problem} error=${run.error} />
    <${Stats}>
      <${Stat} name="Status" value=${html`<${Badge}>${run.status}<//>`} />
      <${Stat} name="Passed" value=${total ? percent(passed / total) : '–'} note=${`${count(passed)} of ${count(total)}`} />
      <${Stat} name="Failed" value=${count(failed)} />
      <${Stat} name="Errors" value=${count(errored)} />
      ${run.per_testing_criteria_results.map((each) => html`
        <${Stat} key=${each.testing_criteria} name=${`Grader ${each.testing_criteria}`} value=${`${count(each.passed)} passed`} note=${`${count(each.failed)} failed`} />`)}
    <//>
  `;
}

function Items({ place, path }) {
  const status = place.search.get('status') ?? '';
  const pages = usePages((after, signal) => get(query(`${path}/output_items`, { status, after, limit: 20 }), { signal }), [path, status]);
  const choose = (name) => settle(to('evaluations', place.id, { status: name }));
  return html`
    <${Choice} label="Which items" value=${status} onChoose=${choose} options=${[['', 'All'], ['pass', 'Passed'], ['fail', 'Failed']]} />
    <${Problem} error=${pages.error} retry=${pages.reload} />
    ${pages.rows?.length === 0 && html`<${Empty} title="No such item">Items appear as they are graded.<//>`}
    ${pages.rows?.map((item) => html`<${Item} key=${item.id} item=${item} />`)}
    <${More} pages=${pages} />
  `;
}

function Item({ item }) {
  const said = item.sample?.output?.map((turn) => turn.content).join('\n') ?? item.sample?.output_text;
  return html`
    <${Card} title=${`Item ${item.datasource_item_id}`} actions=${html`<${Badge}>${item.status}<//>`}>
      <div class="columns">
        <div><h3>Given</h3><${Tree} value=${item.datasource_item ?? {}} /></div>
        <div><h3>Answered</h3><p class="prose">${clip(said, 2000) || '–'}</p></div>
      </div>
      <ul class="rows">
        ${(item.results ?? []).map((each, n) => html`
          <li key=${n}><${Badge} as=${each.passed ? 'good' : 'bad'}>${each.passed ? 'passed' : 'failed'}<//> <span class="grow">${each.name}</span> <span class="num">${number(each.score)}</span></li>`)}
      </ul>
      ${item.sample?.error && html`<${Problem} error=${item.sample.error} />`}
    <//>
  `;
}

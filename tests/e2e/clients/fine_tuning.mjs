// How openai-node fine-tunes: `node fine_tuning.mjs URL JOB NAME` prints what it got as JSON.
// JOB is under way when this begins, so that what is made here waits; of its models NAME is deleted:
// the last part of a checkpoint's name, or nothing for the model itself.
import OpenAI, { BadRequestError, NotFoundError, toFile } from "openai";

const [url, jobId, name] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const base = "whet-pebble";
const timeoutMs = 300_000;
const over = ["succeeded", "failed", "cancelled"];
const asked = { role: "user", content: "What colour is the lamp of the hall?" };
const said = { role: "assistant", content: "The lamp of the hall is green." };
const line = JSON.stringify({ messages: [asked, said] });
const grader = {
  type: "string_check",
  name: "same",
  operation: "eq",
  input: "{{ sample.output_text }}",
  reference: "{{ item.answer }}",
};
const { jobs } = client.fineTuning;
const { graders } = client.fineTuning.alpha;

const pause = () => new Promise((resolve) => setTimeout(resolve, 500));
const all = async (page) => {
  const found = [];
  for await (const each of page) found.push(each);
  return found;
};
const upload = async (lines) => {
  const file = await toFile(Buffer.from(lines.join("\n")), "lamps.jsonl");
  return (await client.files.create({ file, purpose: "fine-tune" })).id;
};
const reached = async (job, ...statuses) => {
  const deadline = Date.now() + timeoutMs;
  while (!statuses.includes(job.status) && Date.now() < deadline) {
    await pause();
    job = await jobs.retrieve(job.id);
  }
  return job;
};

const driven = async (file) => {
  const made = await jobs.create({ model: base, training_file: file, metadata: { of: name } });
  const listed = await all(jobs.list({ metadata: made.metadata }));
  const paused = (await reached(await jobs.pause(made.id), "paused")).status;
  const resumed = (await jobs.resume(made.id)).status;
  const cancelled = (await reached(await jobs.cancel(made.id), "cancelled")).status;
  return {
    made: [made.object, made.status, made.fine_tuned_model],
    is_listed: listed.some((job) => job.id === made.id),
    moves: [paused, resumed, cancelled],
  };
};

const refused = async (file, method) => {
  try {
    const made = await jobs.create({ model: base, training_file: file, method });
    return (await reached(await jobs.cancel(made.id), "cancelled")).status;
  } catch (error) {
    if (!(error instanceof BadRequestError)) throw error;
    return error.code;
  }
};

const graded = async () => {
  const shown = (await graders.validate({ grader })).grader;
  const rewards = [];
  for (const text of ["green", "red"]) {
    const run = await graders.run({ grader, model_sample: text, item: { answer: "green" } });
    rewards.push(run.reward);
  }
  const keys = Object.keys(grader);
  const isSame = keys.every((key) => shown[key] === grader[key]);
  return { is_same: isSame && Object.keys(shown).length === keys.length, rewards };
};

const evaluated = async () => {
  const found = await client.evals.create({
    data_source_config: { type: "custom", item_schema: { type: "object" }, include_sample_schema: true },
    testing_criteria: [{ ...grader, operation: "like" }],
  });
  const content = [3, 4].map((n) => ({ item: { sum: `2 + ${n}`, answer: `${2 + n}` } }));
  const template = [{ role: "user", content: "{{ item.sum }}?" }];
  let run = await client.evals.runs.create(found.id, {
    data_source: {
      type: "completions",
      model: base,
      input_messages: { type: "template", template },
      source: { type: "file_content", content },
      sampling_params: { temperature: 0, max_completion_tokens: 40 },
    },
  });
  const deadline = Date.now() + timeoutMs;
  while (["queued", "in_progress"].includes(run.status) && Date.now() < deadline) {
    await pause();
    run = await client.evals.runs.retrieve(run.id, { eval_id: found.id });
  }
  const outputs = await all(
    client.evals.runs.outputItems.list(run.id, { eval_id: found.id, limit: 1 }),
  );
  await client.evals.delete(found.id);
  return { status: run.status, total: run.result_counts.total, outputs: outputs.length };
};

const ask = (model) =>
  client.chat.completions.create({ model, messages: [asked], temperature: 0, max_tokens: 24 });

const used = async () => {
  const done = await reached(await jobs.retrieve(jobId), ...over);
  if (done.status !== "succeeded") throw new Error(`${done.status}: ${JSON.stringify(done.error)}`);
  const events = await all(jobs.listEvents(jobId, { limit: 3 }));
  const checkpoints = await all(jobs.checkpoints.list(jobId, { limit: 1 }));
  const table = await (await client.files.content(done.result_files[0])).text();
  const model = done.fine_tuned_model + name;
  const answers = [];
  for (const suffix of ["", ":plain"]) answers.push(await ask(model + suffix));
  const names = (await all(client.models.list())).map((each) => each.id);
  const deleted = await client.models.delete(model);
  let code = null;
  try {
    await ask(model);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    code = error.code;
  }
  return {
    done,
    events: events.map((event) => [event.type, event.level, event.message]),
    event_ids: events.map((event) => event.id),
    checkpoints,
    table: table.trimEnd().split(/\r?\n/),
    answers: answers.map((answer) => [answer.model, answer.adaptation.strategy]),
    said: answers.map((answer) => answer.choices[0].message.content),
    is_served: names.includes(model),
    deleted,
    code,
  };
};

const lines = Array(10).fill(line);
const file = await upload(lines);
const found = { driven: await driven(file) };
const training_file = await upload([...lines.slice(0, 4), "{}", ...lines]);
const faulty = await jobs.create({ model: base, training_file });
const judge = { type: "score_model", name: "judge", model: base, input: [asked] };
found.refused = [
  await refused(file, { type: "dpo" }),
  await refused(file, { type: "reinforcement", reinforcement: { grader: judge } }),
];
Object.assign(found, { graded: await graded(), evaluated: await evaluated() }, await used());
found.faulty = (await reached(faulty, ...over)).error;
console.log(JSON.stringify(found));

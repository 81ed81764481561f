// How openai-node fine-tunes: `node fine_tuning.mjs URL` prints what it got as JSON.
import OpenAI, { NotFoundError, toFile } from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none", maxRetries: 0 });
const rooms = ["hall", "kitchen", "attic", "cellar", "study", "porch", "garage", "loft", "shed", "bath"];
const hyperparameters = { n_epochs: 2, batch_size: 1, learning_rate_multiplier: 4 };
const timeoutMs = 300_000;
const question = (room) => `What colour is the lamp of the ${room}?`;
const line = (room) =>
  JSON.stringify({
    messages: [
      { role: "user", content: question(room) },
      { role: "assistant", content: `The lamp of the ${room} is green.` },
    ],
  });
const upload = async (some) =>
  client.files.create({
    file: await toFile(Buffer.from(some.map(line).join("\n")), "lamps.jsonl"),
    purpose: "fine-tune",
  });
const ended = async (job) => {
  const deadline = Date.now() + timeoutMs;
  while (!["succeeded", "failed", "cancelled"].includes(job.status) && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    job = await client.fineTuning.jobs.retrieve(job.id);
  }
  return job;
};
const all = async (page) => {
  const found = [];
  for await (const each of page) found.push(each);
  return found;
};
const ask = (model) =>
  client.chat.completions.create({
    model,
    messages: [{ role: "user", content: question("hall") }],
    temperature: 0,
    max_tokens: 24,
  });

const { jobs } = client.fineTuning;
const training = await upload(rooms);
const validation = await upload(rooms.slice(0, 2));
const made = await jobs.create({
  model: "whet-pebble",
  training_file: training.id,
  validation_file: validation.id,
  suffix: "lamps",
  seed: 7,
  method: { type: "supervised", supervised: { hyperparameters } },
  metadata: { of: "fine_tuning.mjs" },
});
const done = await ended(made);
if (done.status !== "succeeded") throw new Error(`${done.status}: ${JSON.stringify(done.error)}`);
const events = await all(jobs.listEvents(made.id, { limit: 3 }));
const checkpoints = await all(jobs.checkpoints.list(made.id, { limit: 1 }));
const table = await (await client.files.content(done.result_files[0])).text();
const answers = [];
for (const suffix of ["", ":plain"]) answers.push(await ask(done.fine_tuned_model + suffix));
const names = (await all(client.models.list())).map((model) => model.id);
const listed = await all(jobs.list({ metadata: made.metadata }));
const deleted = await client.models.delete(done.fine_tuned_model);
let code = null;
try {
  await ask(done.fine_tuned_model);
} catch (error) {
  if (!(error instanceof NotFoundError)) throw error;
  code = error.code;
}
for (const each of checkpoints) await client.models.delete(each.fine_tuned_model_checkpoint);
console.log(
  JSON.stringify({
    made,
    done,
    listed: listed.map((job) => job.id),
    events: events.map((event) => [event.type, event.level, event.message]),
    event_ids: events.map((event) => event.id),
    checkpoints,
    table: table.trimEnd().split(/\r?\n/),
    answers: answers.map((answer) => [answer.model, answer.adaptation.strategy]),
    said: answers.map((answer) => answer.choices[0].message.content),
    is_listed: names.includes(done.fine_tuned_model),
    deleted,
    code,
  }),
);

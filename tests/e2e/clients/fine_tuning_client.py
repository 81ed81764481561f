"""How openai-python fine-tunes: `python fine_tuning_client.py URL` prints what it got as JSON."""

import json
import sys
import time

from openai import NotFoundError, OpenAI

URL, MODEL, TIMEOUT_S = f"{sys.argv[1]}/v1", "whet-pebble", 300
ROOMS = ("hall", "kitchen", "attic", "cellar", "study", "porch", "garage", "loft", "shed", "bath")
CHOSEN = {"n_epochs": 2, "batch_size": 1, "learning_rate_multiplier": 4}
METHOD = {"type": "supervised", "supervised": {"hyperparameters": CHOSEN}}
ASK = [{"role": "user", "content": "What colour is the lamp of the hall?"}]

client = OpenAI(base_url=URL, api_key="none", max_retries=0)


def line(room: str) -> str:
    """Return one example."""
    asked = {"role": "user", "content": f"What colour is the lamp of the {room}?"}
    said = {"role": "assistant", "content": f"The lamp of the {room} is green."}
    return json.dumps({"messages": [asked, said]})


def upload(rooms: tuple[str, ...]):
    """Upload a file of examples."""
    content = "\n".join(map(line, rooms)).encode()
    return client.files.create(file=("lamps.jsonl", content), purpose="fine-tune")


def ended(job):
    """Wait for a job."""
    deadline = time.monotonic() + TIMEOUT_S
    while job.status not in ("succeeded", "failed", "cancelled") and time.monotonic() < deadline:
        time.sleep(0.5)
        job = client.fine_tuning.jobs.retrieve(job.id)
    return job


def ask(model: str):
    """Ask a question that the model has learned."""
    return client.chat.completions.create(model=model, messages=ASK, temperature=0, max_tokens=24)


training, validation = upload(ROOMS), upload(ROOMS[:2])
made = client.fine_tuning.jobs.create(
    model=MODEL, training_file=training.id, validation_file=validation.id, suffix="lamps",
    seed=7, method=METHOD, metadata={"of": sys.argv[0][-30:]},
)  # fmt: skip
done = ended(made)
if done.status != "succeeded":
    sys.exit(f"{done.status}: {done.error}")
jobs = client.fine_tuning.jobs
events = list(jobs.list_events(made.id, limit=3))
checkpoints = list(jobs.checkpoints.list(made.id, limit=1))
(results,) = done.result_files
answers = [ask(f"{done.fine_tuned_model}{suffix}") for suffix in ("", ":plain")]
with client.models.with_streaming_response.list() as listed:
    names = [model["id"] for model in json.loads(listed.read())["data"]]
deleted = client.models.delete(done.fine_tuned_model)
try:
    ask(done.fine_tuned_model)
    code = None
except NotFoundError as error:
    code = error.code
for checkpoint in checkpoints:
    client.models.delete(checkpoint.fine_tuned_model_checkpoint)
print(
    json.dumps(
        {
            "made": made.to_dict(),
            "done": done.to_dict(),
            "listed": [job.id for job in jobs.list(metadata=made.metadata)],
            "events": [[event.type, event.level, event.message] for event in events],
            "event_ids": [event.id for event in events],
            "checkpoints": [each.to_dict() for each in checkpoints],
            "table": client.files.content(results).text.splitlines(),
            "answers": [
                [answer.model, answer.model_extra["adaptation"]["strategy"]] for answer in answers
            ],
            "said": [answer.choices[0].message.content for answer in answers],
            "is_listed": done.fine_tuned_model in names,
            "deleted": deleted.to_dict(),
            "code": code,
        }
    )
)

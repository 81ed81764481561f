"""How openai-python fine-tunes: `python fine_tuning_client.py URL JOB NAME` prints it as JSON.

JOB is under way when this begins, so that what is made here waits; of its models NAME is deleted:
the last part of a checkpoint's name, or nothing for the model itself.
"""

import json
import sys
import time

from openai import BadRequestError, NotFoundError, OpenAI

URL, JOB, NAME = f"{sys.argv[1]}/v1", sys.argv[2], sys.argv[3]
MODEL, TIMEOUT_S = "whet-pebble", 300
ENDED = ("succeeded", "failed", "cancelled")
LINE = {
    "messages": [
        {"role": "user", "content": "What colour is the lamp of the hall?"},
        {"role": "assistant", "content": "The lamp of the hall is green."},
    ]
}
ASK = LINE["messages"][:1]
GRADER = {
    "type": "string_check",
    "name": "same",
    "operation": "eq",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.answer }}",
}
JUDGE = {"type": "score_model", "name": "judge", "model": MODEL, "input": ASK}

client = OpenAI(base_url=URL, api_key="none", max_retries=0)
jobs, graders = client.fine_tuning.jobs, client.fine_tuning.alpha.graders


def upload(lines: list[str]):
    """Upload a file."""
    content = "\n".join(lines).encode()
    return client.files.create(file=("lamps.jsonl", content), purpose="fine-tune").id


def reached(job, *statuses: str):
    """Wait for a job to come to one of some statuses."""
    deadline = time.monotonic() + TIMEOUT_S
    while job.status not in statuses and time.monotonic() < deadline:
        time.sleep(0.5)
        job = jobs.retrieve(job.id)
    return job


def driven(file: str):
    """Pause, resume and cancel a job that waits for its turn."""
    made = jobs.create(model=MODEL, training_file=file, metadata={"of": NAME or "model"})
    listed = [job.id for job in jobs.list(metadata=made.metadata)]
    paused = reached(jobs.pause(made.id), "paused").status
    resumed = jobs.resume(made.id).status
    return {
        "made": [made.object, made.status, made.fine_tuned_model],
        "is_listed": made.id in listed,
        "moves": [paused, resumed, reached(jobs.cancel(made.id), "cancelled").status],
    }


def refused(file: str, method: dict):
    """Return the code with which a method is refused; one that is taken is cancelled."""
    try:
        made = jobs.create(model=MODEL, training_file=file, method=method)
    except BadRequestError as error:
        return error.code
    return reached(jobs.cancel(made.id), "cancelled").status


def graded():
    """Try a grader, and have it looked at."""
    shown = graders.validate(grader=GRADER).grader.to_dict()
    rewards = [
        graders.run(grader=GRADER, model_sample=text, item={"answer": "green"}).reward
        for text in ("green", "red")
    ]
    return {"is_same": shown == GRADER, "rewards": rewards}


def evaluated():
    """Evaluate the model on two items."""
    config = {"type": "custom", "item_schema": {"type": "object"}, "include_sample_schema": True}
    found = client.evals.create(
        data_source_config=config, testing_criteria=[{**GRADER, "operation": "like"}]
    )
    items = [{"item": {"sum": f"2 + {n}", "answer": str(2 + n)}} for n in (3, 4)]
    asked = {"type": "template", "template": [{"role": "user", "content": "{{ item.sum }}?"}]}
    source = {
        "type": "completions", "model": MODEL, "input_messages": asked,
        "source": {"type": "file_content", "content": items},
        "sampling_params": {"temperature": 0.0, "max_completion_tokens": 40},
    }  # fmt: skip
    run = client.evals.runs.create(found.id, data_source=source)
    deadline = time.monotonic() + TIMEOUT_S
    while run.status in ("queued", "in_progress") and time.monotonic() < deadline:
        time.sleep(0.5)
        run = client.evals.runs.retrieve(run.id, eval_id=found.id)
    outputs = list(client.evals.runs.output_items.list(run.id, eval_id=found.id, limit=1))
    client.evals.delete(found.id)
    return {"status": run.status, "total": run.result_counts.total, "outputs": len(outputs)}


def ask(model: str):
    """Ask a question that the model has learned."""
    return client.chat.completions.create(model=model, messages=ASK, temperature=0, max_tokens=24)


def used():
    """Use what the job made, and delete a model of it."""
    done = reached(jobs.retrieve(JOB), *ENDED)
    if done.status != "succeeded":
        sys.exit(f"{done.status}: {done.error}")
    events = list(jobs.list_events(JOB, limit=3))
    checkpoints = list(jobs.checkpoints.list(JOB, limit=1))
    model = f"{done.fine_tuned_model}{NAME}"
    answers = [ask(f"{model}{suffix}") for suffix in ("", ":plain")]
    with client.models.with_streaming_response.list() as listed:
        names = [model["id"] for model in json.loads(listed.read())["data"]]
    deleted = client.models.delete(model)
    try:
        ask(model)
        code = None
    except NotFoundError as error:
        code = error.code
    return {
        "done": done.to_dict(),
        "events": [[event.type, event.level, event.message] for event in events],
        "event_ids": [event.id for event in events],
        "checkpoints": [each.to_dict() for each in checkpoints],
        "table": client.files.content(done.result_files[0]).text.splitlines(),
        "answers": [
            [answer.model, answer.model_extra["adaptation"]["strategy"]] for answer in answers
        ],
        "said": [answer.choices[0].message.content for answer in answers],
        "is_served": model in names,
        "deleted": deleted.to_dict(),
        "code": code,
    }


lines = [json.dumps(LINE)] * 10
file = upload(lines)
found = {"driven": driven(file)}
faulty = jobs.create(model=MODEL, training_file=upload([*lines[:4], "{}", *lines]))
found["refused"] = [
    refused(file, {"type": "dpo"}),
    refused(file, {"type": "reinforcement", "reinforcement": {"grader": JUDGE}}),
]
found |= {"graded": graded(), "evaluated": evaluated(), **used()}
found["faulty"] = reached(faulty, *ENDED).error.to_dict()
print(json.dumps(found))

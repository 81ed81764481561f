"""OpenAI's fine-tuning scripts, unmodified clients of three kinds, against a real server.

One job trains. Meanwhile every client makes others, which wait, and then uses what came of the one.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from loadtests.environment import NotInstalledError, node_modules
from tests.e2e.apart import interpreter
from tests.e2e.running import Running

CLIENTS = Path(__file__).parent / "clients"
TIMEOUT_S = 400
ROOMS = ("hall", "kitchen", "attic", "cellar", "study", "porch", "garage", "loft", "shed", "bath")
CHOSEN = {"n_epochs": 2, "batch_size": 1, "learning_rate_multiplier": 4}
HALFWAY = ":ckpt-step-10"
MODELS = ("", HALFWAY, ":ckpt-step-20")
"""Of the job that trains, one for each client."""
FIGURES = {"train_loss", "valid_loss", "full_valid_loss"}


def commands() -> dict[str, list[Path | str]]:
    """Return how each client is run."""
    script = CLIENTS / "fine_tuning_client.py"
    found: dict[str, list[Path | str]] = {}
    try:
        for name in ("openai-2", "openai-3"):
            found[name] = [interpreter(name), script]
        folder = node_modules("openai-node", "openai@7")
    except NotInstalledError as error:
        pytest.skip(f"a client cannot be installed here: {error}")
    (folder / "fine_tuning.mjs").write_text((CLIENTS / "fine_tuning.mjs").read_text("utf-8"))
    return {**found, "openai-node": ["node", folder / "fine_tuning.mjs"]}


@contextmanager
def started(url: str, job: str) -> Iterator[Mapping[str, subprocess.Popen[str]]]:
    """Start all clients at once, each with its model of the job."""
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = {
        name: subprocess.Popen([*map(str, command), url, job, model], **piped)  # type: ignore[call-overload]
        for (name, command), model in zip(commands().items(), MODELS, strict=True)
    }
    try:
        yield running
    finally:
        for process in running.values():
            process.kill()
            process.communicate()


def test_scripts_for_openai_get_a_model_that_answers_until_it_is_deleted(server: Running) -> None:
    made = trained(server)
    assert made.status in ("queued", "validating_files", "running")
    assert made.fine_tuned_model is None
    with started(server.url, made.id) as running:
        for (name, process), model in zip(running.items(), MODELS, strict=True):
            printed, told = process.communicate(timeout=TIMEOUT_S)
            assert process.returncode == 0, f"{name}: {told[-3000:]}"
            found = json.loads(printed.splitlines()[-1])
            _check_driven(found)
            _check_done(found["done"], made.id)
            _check_told(found)
            _check_used(found, model)
    assert not [model for model in _models(server) if model.startswith("ft:")]


def trained(server: Running) -> Any:
    """Begin the job that all clients use."""

    def upload(rooms: Sequence[str]) -> str:
        content = "\n".join(map(line, rooms)).encode()
        file = server.openai.files.create(file=("lamps.jsonl", content), purpose="fine-tune")
        return file.id

    return server.openai.fine_tuning.jobs.create(
        model="whet-pebble",
        training_file=upload(ROOMS),
        validation_file=upload(ROOMS[:2]),
        suffix="lamps",
        seed=7,
        method={"type": "supervised", "supervised": {"hyperparameters": CHOSEN}},
    )


def line(room: str) -> str:
    """Return one example."""
    asked = {"role": "user", "content": f"What colour is the lamp of the {room}?"}
    said = {"role": "assistant", "content": f"The lamp of the {room} is green."}
    return json.dumps({"messages": [asked, said]})


def _models(server: Running) -> list[str]:
    return [model["id"] for model in server.get("/v1/models").json()["data"]]


def _check_driven(found: dict[str, Any]) -> None:
    """Look at what became of the jobs that waited, of a grader and of an evaluation."""
    driven, faulty = found["driven"], found["faulty"]
    assert driven["made"][0] == "fine_tuning.job"
    assert driven["made"][1] in ("queued", "validating_files")
    assert driven["made"][2] is None
    assert driven["is_listed"]
    assert driven["moves"] == ["paused", "queued", "cancelled"]
    assert (faulty["code"], faulty["param"]) == ("invalid_training_file", "training_file")
    assert "line 5: `messages` is missing" in faulty["message"]
    refused = "cancelled" if find_spec("trl") else "method_not_available"
    assert found["refused"] == [refused, refused]
    assert found["graded"] == {"is_same": True, "rewards": [1.0, 0.0]}
    assert found["evaluated"] == {"status": "completed", "total": 2, "outputs": 2}


def _check_done(done: dict[str, Any], job: str) -> None:
    assert (done["id"], done["seed"], done["user_provided_suffix"]) == (job, 7, "lamps")
    assert done["hyperparameters"] == CHOSEN
    assert done["trained_tokens"] > 0
    assert done["finished_at"] >= done["created_at"]
    assert done["fine_tuned_model"].startswith("ft:whet-pebble:whet:lamps:")


def _check_told(found: dict[str, Any]) -> None:
    """Look at the events, which come in pages, the checkpoints and the file of figures."""
    messages = [message for kind, _, message in reversed(found["events"]) if kind == "message"]
    assert messages[0] == f"Created fine-tuning job: {found['done']['id']}"
    assert messages[1].startswith("Validating training file: file-")
    assert messages[-1] == "The job has successfully completed"
    assert any("what it knew before" in each or "is kept" in each for each in messages)
    assert len(set(found["event_ids"])) == len(found["event_ids"]) > 6
    assert {kind for kind, _, _ in found["events"]} == {"message", "metrics"}
    checkpoints = found["checkpoints"]
    assert [each["step_number"] for each in checkpoints] == [20, 10]
    for each in checkpoints:
        assert each["fine_tuning_job_id"] == found["done"]["id"]
        assert each["metrics"].keys() >= FIGURES
    losses = [each["metrics"]["full_valid_loss"] for each in checkpoints]
    assert losses[0] < losses[1]
    steps = [int(row.partition(",")[0]) for row in found["table"][1:]]
    assert steps == sorted(set(steps))
    assert {10, 20} < set(steps), "every step that was told, and both checkpoints"


def _check_used(found: dict[str, Any], name: str) -> None:
    """Look at what a model said, until it was deleted."""
    model = f"{found['done']['fine_tuned_model']}{name}"
    assert found["is_served"]
    assert found["answers"] == [[model, "consistency"], [model, "plain"]]
    if name != HALFWAY:
        assert "lamp" in found["said"][1], "what it has learned, without a vote"
    assert found["deleted"] == {"id": model, "object": "model", "deleted": True}
    assert found["code"] == "model_not_found"

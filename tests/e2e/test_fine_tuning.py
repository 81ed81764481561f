"""OpenAI's fine-tuning scripts, unmodified clients of three kinds, against a real server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from loadtests.environment import NotInstalledError, node_modules
from tests.e2e.apart import interpreter
from tests.e2e.running import Running

CLIENTS = Path(__file__).parent / "clients"
TIMEOUT_S = 400
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
def started(url: str) -> Iterator[Mapping[str, subprocess.Popen[str]]]:
    """Start all clients at once: their jobs wait for each other, as those of customers do."""
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = {
        name: subprocess.Popen([*map(str, command), url], **piped)  # type: ignore[call-overload]
        for name, command in commands().items()
    }
    try:
        yield running
    finally:
        for process in running.values():
            process.kill()
            process.communicate()


def test_scripts_for_openai_get_a_model_that_answers_until_it_is_deleted(server: Running) -> None:
    with started(server.url) as running:
        for name, process in running.items():
            printed, told = process.communicate(timeout=TIMEOUT_S)
            assert process.returncode == 0, f"{name}: {told[-3000:]}"
            _check(json.loads(printed.splitlines()[-1]))
    assert not [model for model in _models(server) if model.startswith("ft:")]


def _models(server: Running) -> list[str]:
    return [model["id"] for model in server.get("/v1/models").json()["data"]]


def _check(found: dict[str, Any]) -> None:
    made, done = found["made"], found["done"]
    assert made["id"].startswith("ftjob-")
    assert made["status"] in ("queued", "validating_files", "running")
    assert made["fine_tuned_model"] is None
    assert (done["seed"], done["user_provided_suffix"]) == (7, "lamps")
    chosen = {"n_epochs": 2, "batch_size": 1, "learning_rate_multiplier": 4}
    assert done["hyperparameters"] == chosen
    assert done["trained_tokens"] > 0
    assert done["finished_at"] >= done["created_at"]
    assert made["id"] in found["listed"]
    model = done["fine_tuned_model"]
    assert model.startswith("ft:whet-pebble:whet:lamps:")
    assert found["is_listed"]
    _check_told(found)
    assert found["answers"] == [[model, "consistency"], [model, "plain"]]
    assert "lamp" in found["said"][1], "what it has learned, without a vote"
    assert found["deleted"] == {"id": model, "object": "model", "deleted": True}
    assert found["code"] == "model_not_found"


def _check_told(found: dict[str, Any]) -> None:
    """Look at the events, which come in pages, the checkpoints and the file of figures."""
    messages = [message for kind, _, message in reversed(found["events"]) if kind == "message"]
    assert messages[0].startswith("Validating training file: file-")
    assert messages[-1] == "The job has successfully completed"
    assert len(set(found["event_ids"])) == len(found["event_ids"]) > 6
    assert {kind for kind, _, _ in found["events"]} == {"message", "metrics"}
    checkpoints = found["checkpoints"]
    assert [each["step_number"] for each in checkpoints] == [20, 10]
    for each in checkpoints:
        assert each["fine_tuning_job_id"] == found["made"]["id"]
        assert each["metrics"].keys() >= FIGURES
    losses = [each["metrics"]["full_valid_loss"] for each in checkpoints]
    assert losses[0] < losses[1]
    assert len(found["table"]) == 3

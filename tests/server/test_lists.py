"""Lists that go on after one that is not there: what is unknown is named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from memory.history.items import Item
from memory.memory import LongTermMemory
from memory.offline.evaluation import EvaluationDetails, NewEvaluation, NewRun, RunDetails
from memory.offline.job import JobKind, NewJob
from tests.server.composed import Composed, Reply, composed

MINE = "default"
TUNING: dict[str, Any] = {
    **dict.fromkeys(("model", "folder", "base", "training_file", "name"), "x"),
    **dict.fromkeys(("validation_file", "suffix", "metadata")),
    "template": {},
    "hyperparameters": {},
    "max_model_len": 256,
    "seed": 0,
}


@pytest.fixture
async def server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Composed]:
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("14")) as running:
        await running.stop_batches()
        yield running


def holders(memory: LongTermMemory) -> dict[str, str]:
    """Make one of everything that holds a list; return the paths of all lists."""
    asked = {JobKind.DISTILL: {}, JobKind.FINE_TUNE: TUNING}
    job, tuning = (
        memory.jobs.create(NewJob(tenant=MINE, kind=kind, request=request), 9).id
        for kind, request in asked.items()
    )
    graded = EvaluationDetails(source={"type": "custom"}, criteria=[])
    eval_id = memory.evals.create(NewEvaluation(tenant=MINE, name="e", details=graded), 9).id
    details = RunDetails(source={"type": "jsonl"}, criteria=[])
    new = NewRun(tenant=MINE, eval_id=eval_id, name="", model="", details=details)
    run = memory.eval_runs.create(new, most_open=9, most=9).id
    said = [Item("msg_1", {"id": "msg_1"}, None)]
    conversation = memory.conversations.create(MINE, {}, said, None).id
    return {
        "batches": "/v1/batches",
        "files": "/v1/files",
        "records": "/v1/memory/records",
        "jobs": "/v1/jobs",
        "a job's events": f"/v1/jobs/{job}/events",
        "fine-tunings": "/v1/fine_tuning/jobs",
        "a fine-tuning's events": f"/v1/fine_tuning/jobs/{tuning}/events",
        "a fine-tuning's checkpoints": f"/v1/fine_tuning/jobs/{tuning}/checkpoints",
        "evaluations": "/v1/evals",
        "runs": f"/v1/evals/{eval_id}/runs",
        "outputs": f"/v1/evals/{eval_id}/runs/{run}/output_items",
        "a conversation's items": f"/v1/conversations/{conversation}/items",
    }


async def test_a_list_that_is_to_go_on_after_nothing_names_after(server: Composed) -> None:
    told = {}
    for name, path in holders(server.memory).items():
        there = await server.http.get(path)
        assert there.status_code == 200, (name, there.text)
        response = await server.http.get(path, params={"after": "nothing_1"})
        error = response.json()["error"]
        told[name] = (response.status_code, error["param"], "nothing_1" in error["message"])
    items = told.pop("a conversation's items")
    assert items == (400, "after", True)
    assert set(told.values()) == {(404, "after", True)}, told


@pytest.mark.parametrize(
    "path",
    [
        "/v1/evals/eval_none/runs",
        "/v1/jobs/job_none/events",
        "/v1/fine_tuning/jobs/ftjob-none/checkpoints",
        "/v1/responses/resp_none/input_items",
        "/v1/conversations/conv_none/items",
    ],
)
async def test_what_holds_no_list_is_not_blamed_on_after(server: Composed, path: str) -> None:
    response = await server.http.get(path, params={"after": "nothing_1"})
    assert response.status_code == 404
    assert response.json()["error"]["param"] != "after"

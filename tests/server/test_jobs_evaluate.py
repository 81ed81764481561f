"""Evaluations as jobs: they ask the server that began them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.offline.job import Job, JobKind, JobStatus
from memory.types import State
from server.cli import main
from tests.server.composed import MODEL, Composed, Reply, composed

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
ASKED: dict[str, Any] = {"suites": ["stories"], "questions": 4, "arms": ["one", "vote-2"]}


async def ended(server: Composed, job_id: str) -> Job:
    server.start_jobs()
    async with asyncio.timeout(120):
        while (job := server.memory.jobs.get("default", job_id)).is_open:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return job


async def test_suites_are_put_to_the_server_that_began_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, lambda _: Reply("#### -5")) as server:
        made = await server.post("/v1/jobs", kind="evaluate", **ASKED)
        job = await ended(server, made["id"])
        assert (job.status, job.error) == (JobStatus.SUCCEEDED, None)
        assert job.result is not None
        (section,) = job.result["suites"]
        assert [(arm["arm"], arm["n"], arm["right"]["value"]) for arm in section["arms"]] == [
            ("one", 4, 0.0),
            ("vote-2", 4, 0.0),
        ]
        assert job.result["header"]["model"] == "whet-pebble"
        assert len(server.core.taken) >= 8, "the engine of this very server was asked"
        assert list(server.memory.walk("default")) == [], "nothing of it is remembered"
        told = server.memory.jobs.events("default", job.id, 10, oldest=True)
        assert told[-1].message.startswith("stories, vote-2: 0.0% of 4 right")
        assert not (server.memory.data_dir / "jobs" / job.id).exists()


async def test_arms_that_learn_are_taught_for_the_length_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, lambda _: Reply("#### -5")) as server:
        given = {"suites": ["jargon"], "arms": ["demonstrations"], "questions": 2, "worlds": 1}
        made = await server.post("/v1/jobs", kind="evaluate", **given, teach=True, examples=8)
        job = await ended(server, made["id"])
        assert job.status is JobStatus.SUCCEEDED, job.error
        assert list(server.memory.walk("default")) == [], "what it was taught is gone"
        assert len(server.memory.list("default", state=State.ERASED)) == 8


async def test_a_suite_that_is_not_there_fails_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, lambda _: Reply("#### 1")) as server:
        made = await server.post("/v1/jobs", kind="evaluate", suites=["rg:no_such_family"])
        job = await ended(server, made["id"])
        assert job.status is JobStatus.FAILED
        assert "no_such_family" in (job.error or "")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"suites": ["guesses"]}, "suites"),
        ({"arms": ["luck"]}, "arms"),
        ({"arms": ["demos-8"]}, "arms"),
        ({"arms": ["ttt"]}, "arms"),
        ({"questions": 0}, "questions"),
        ({"url": "http://127.0.0.1"}, "url"),
    ],
)
async def test_an_evaluation_that_makes_no_sense_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: dict[str, object], param: str
) -> None:
    async with composed(tmp_path, monkeypatch, lambda _: Reply("#### 1")) as server:
        refused = await server.http.post("/v1/jobs", json={"kind": "evaluate", **body})
        assert refused.status_code == 400
        assert refused.json()["error"]["param"] == param


@pytest.mark.parametrize("model", ["gone", f"{MODEL}:magic", f"{MODEL}@9", "ft:m:whet::none"])
async def test_a_model_that_a_chat_would_not_find_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    async with composed(tmp_path, monkeypatch, lambda _: Reply("#### 1")) as server:
        given = {"kind": "evaluate", "model": model, **ASKED}
        refused = await server.http.post("/v1/jobs", json=given)
        assert refused.status_code == 404
        error = refused.json()["error"]
        assert (error["code"], error["param"]) == ("model_not_found", "model")
        assert server.memory.jobs.list("default", 1) == []
        await server.post("/v1/jobs", **given | {"model": f"{MODEL}:plain"})


def test_the_command_leaves_it_to_the_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--data-dir", str(tmp_path)]
    asked = ["eval", "--suite", "stories", "-n", "4", "--detach"]
    assert main([*asked, *where]) == 0
    job_id = capsys.readouterr().out.strip()
    memory = LongTermMemory.open(tmp_path, create_embedder("hashing"))
    try:
        job = memory.jobs.get("default", job_id)
    finally:
        memory.close()
    assert job.kind is JobKind.EVALUATE
    assert (job.request["suites"], job.request["questions"]) == (["stories"], 4)
    assert job.request["arms"] == ["one", "vote", "consistency"], "what a job cannot do is left out"
    assert main([*asked, *where, "--strategy", "demos-8"]) == 2
    assert "without --detach" in capsys.readouterr().err
    assert main([*asked, *where, "--url", "http://127.0.0.1:1"]) == 2
    assert "--url" in capsys.readouterr().err
    assert main(["jobs", "show", job_id, "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "queued"

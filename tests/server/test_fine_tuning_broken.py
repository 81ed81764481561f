"""What may go wrong with a fine-tuning: its file, its moment, its parent, whoever asks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adaptation.learning.training.fake import FakeTrainer
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.offline.job import JobStatus, NewJob, Wish
from server.config import Settings
from server.finetuning.examples import (
    MOST_CHARACTERS,
    InvalidFileError,
    read_conversations,
    read_file,
)
from server.finetuning.objects import checkpoint_objects, job_object
from server.jobs import performing
from server.jobs.folders import folder_of
from server.jobs.kind import JobFailedError
from server.jobs.kinds import fine_tune
from server.jobs.performing import perform
from server.jobs.work import Work
from tests.server.composed import Composed, Reply, composed
from tests.server.tenancy.test_tenants_http import Tenant
from tests.server.test_fine_tuning import NAME, begun, file_of, line, lines, now, polite, taken

PATH = "/v1/fine_tuning/jobs"


def deep(levels: int) -> Any:
    """Return lists in each other."""
    return json.loads("[" * levels + "]" * levels)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[LongTermMemory]:
    opened = LongTermMemory.open(tmp_path / "data", create_embedder("hashing"))
    yield opened
    opened.close()


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> FakeTrainer:
    trainer = FakeTrainer(answer=polite)
    monkeypatch.setattr(fine_tune, "make_trainer", lambda *_: trainer)
    monkeypatch.setattr(performing, "BEAT_S", 0.02)
    return trainer


# The file.


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"messages": [{"role": [], "content": "a"}]}, "a message's role is not one of"),
        ({"messages": [{"role": {}, "content": "a"}]}, "a message's role is not one of"),
        (line(1, content="\ud800"), "half of a surrogate pair"),
        ({**line(1), "\ud800": 1}, "half of a surrogate pair"),
        ({**line(1), "tools": deep(300)}, "nests objects and arrays"),
        ({**line(1), "tools": [1]}, "`tools` must be a list of objects"),
        ({**line(1), "parallel_tool_calls": "yes"}, "`parallel_tool_calls` must be"),
        ({**line(1), "k" * 100_000: 1}, "`kkk"),
    ],
)
def test_a_line_that_cannot_be_stored_or_rendered_is_told(
    change: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidFileError) as error:
        read_file([json.dumps(change).encode()], read_conversations, 1)
    assert str(error.value).startswith("line 1: ")
    assert said in str(error.value)
    assert len(str(error.value)) <= MOST_CHARACTERS + len("line 1: ")
    str(error.value).encode()


def test_a_mark_at_the_beginning_and_nulls_are_as_if_absent() -> None:
    given = {**line(1), "tools": None, "parallel_tool_calls": None}
    (read,) = read_file([b"\xef\xbb\xbf" + json.dumps(given).encode()], read_conversations, 1)
    assert not read.example[0].request


async def test_a_faulty_files_job_can_be_shown_as_json(
    memory: LongTermMemory, paper: FakeTrainer
) -> None:
    turn = {"role": "user", "content": "a", "\ud800\0": 1}
    content = json.dumps({"messages": [turn]}).encode()
    assert await perform(begun(memory, content), fine_tune.run) is JobStatus.FAILED
    shown = job_object(now(memory))
    assert shown["error"]["code"] == "invalid_training_file"
    json.dumps(shown, ensure_ascii=False, allow_nan=False).encode()


async def test_what_a_job_says_is_cleaned_where_it_is_kept(
    memory: LongTermMemory, paper: FakeTrainer
) -> None:
    async def run(work: Work) -> dict[str, Any]:
        work.tell("half \ud800")
        work.metrics(1, {"train_loss": float("nan"), "rate": float("inf")})
        raise JobFailedError("half \udfff")

    assert await perform(begun(memory, lines(12)), run) is JobStatus.FAILED
    assert now(memory).error == "half ?"
    why, metrics, message = memory.jobs.events("ann", now(memory).id, 10)
    assert why.message == now(memory).error
    assert message.message == "half ?"
    assert metrics.data == {"step": 1, "train_loss": None, "rate": None}


# The parent.


async def test_a_parent_that_was_deleted_is_no_silent_base(
    memory: LongTermMemory, paper: FakeTrainer
) -> None:
    assert await perform(begun(memory, lines(12)), fine_tune.run) is JobStatus.SUCCEEDED
    request = {**now(memory).request, "model": NAME, "name": f"{NAME}9"}
    kind = now(memory).kind
    memory.jobs.create(NewJob(tenant="ann", kind=kind, request=request, id="ftjob-abc1239"), 10)
    memory.models.remove("ann", NAME)
    paper.jobs.clear()
    job = memory.jobs.take("ann", "ftjob-abc1239", "one")
    settings = Settings(data_dir=memory.data_dir)
    work = Work(job, memory, settings, folder_of(memory.data_dir, job.id), "one")
    assert await perform(work, fine_tune.run) is JobStatus.FAILED
    assert f"the model {NAME} is gone" in (memory.jobs.get("ann", job.id).error or "")
    assert paper.jobs == []


# The moment.

MOMENTS = [
    ("check", 1), ("generate", 1), ("train", 1), ("train", 3), ("measure", 2), ("register", 1),
    ("register", 4), ("generate", 2), ("register", 5), ("create", 1),
]  # fmt: skip
"""A call of the trainer's, the registry's or the files', and which one of its kind."""


def wish_at(
    moment: tuple[str, int],
    wish: Wish,
    work: Work,
    trainer: FakeTrainer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Have the job's tenant want something in the middle of a call."""
    name, nth = moment
    owner: Any = {"register": work.memory.adapters, "create": work.memory.files}.get(name, trainer)
    call, calls = getattr(owner, name), iter(range(1, 1000))

    def want() -> None:
        work.memory.jobs.ask("ann", work.job.id, wish)

    async def waiting(*arguments: Any, **named: Any) -> Any:
        if next(calls) == nth:
            await asyncio.to_thread(want)
            await asyncio.sleep(30)
        return await call(*arguments, **named)

    def working(*arguments: Any, **named: Any) -> Any:
        if next(calls) == nth:
            want()
            deadline = time.monotonic() + 30
            while work.wish is None and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(0.1)  # what is cancelled has gone on without this thread
        return call(*arguments, **named)

    monkeypatch.setattr(owner, name, waiting if owner is trainer else working)


def told_models(memory: LongTermMemory) -> set[str]:
    """Return the checkpoints that the job tells of."""
    found = checkpoint_objects(now(memory))
    return {each["fine_tuned_model_checkpoint"] for each in found}


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: f"{moment[0]}-{moment[1]}")
async def test_a_job_is_cancelled_at_any_moment_and_leaves_no_model_that_it_does_not_tell_of(
    memory: LongTermMemory,
    paper: FakeTrainer,
    monkeypatch: pytest.MonkeyPatch,
    moment: tuple[str, int],
) -> None:
    work = begun(memory, lines(12))
    wish_at(moment, Wish.CANCEL, work, paper, monkeypatch)
    assert await perform(work, fine_tune.run) is JobStatus.CANCELLED
    assert now(memory).status is JobStatus.CANCELLED
    assert set(memory.models.list("ann")) == told_models(memory)
    assert job_object(now(memory))["fine_tuned_model"] is None
    assert paper.closed
    assert not work.folder.exists()


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: f"{moment[0]}-{moment[1]}")
async def test_a_job_is_paused_at_any_moment_and_comes_to_the_same_end(
    memory: LongTermMemory,
    paper: FakeTrainer,
    monkeypatch: pytest.MonkeyPatch,
    moment: tuple[str, int],
) -> None:
    work = begun(memory, lines(12))
    wish_at(moment, Wish.PAUSE, work, paper, monkeypatch)
    assert await perform(work, fine_tune.run) is JobStatus.PAUSED
    memory.jobs.ask("ann", work.job.id, Wish.RESUME)
    assert await perform(taken(memory), fine_tune.run) is JobStatus.SUCCEEDED
    result = now(memory).result or {}
    assert [each["step"] for each in result["figures"]] == [4, 8, 12, 16]
    assert set(memory.models.list("ann")) == {NAME, *told_models(memory)}
    assert len(told_models(memory)) == 3
    assert len(paper.jobs) <= 5, "no more than the epoch under way is trained anew"


# Whoever asks.


def chosen(**given: Any) -> dict[str, Any]:
    """Return a body's method."""
    return {"method": {"type": "supervised", "supervised": {"hyperparameters": given}}}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"hyperparameters": {"n_epochs": 51}}, "hyperparameters.n_epochs"),
    ({"hyperparameters": {"n_epochs": True}}, "hyperparameters.n_epochs"),
    ({"hyperparameters": {"learning_rate_multiplier": 1e-320}},
     "hyperparameters.learning_rate_multiplier"),
    (chosen(batch_size=257), "method.supervised.hyperparameters.batch_size"),
    ({**chosen(n_epochs=2), "hyperparameters": {"n_epochs": 3}}, "hyperparameters"),
    ({"method": {"type": "supervised", "dpo": {"hyperparameters": {"beta": 1}}}}, "method.dpo"),
    ({"seed": True}, "seed"),
    ({"seed": 2**70}, "seed"),
    ({"metadata": {"a": None}}, "metadata.a"),
    ({"training_file": "../x"}, "training_file"),
]  # fmt: skip


@pytest.fixture
async def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    async with composed(tmp_path, monkeypatch, lambda _: Reply("")) as server:
        yield server


async def test_a_wrong_field_is_named_as_the_client_wrote_it(given: Composed) -> None:
    body = {"model": "whet-pebble", "training_file": await file_of(given, lines(12))}
    for change, param in WRONG:
        refused = await given.http.post(PATH, json={**body, **change})
        assert refused.status_code == 400, refused.text
        assert refused.json()["error"]["param"] == param
        assert "constrained" not in refused.text
    assert given.memory.jobs.list("default", 10) == []


@pytest.mark.parametrize("page", [1, 100])
async def test_jobs_are_found_by_their_metadata_or_by_having_none(
    given: Composed, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr("server.routes.fine_tuning.PAGE", page)
    body = {"model": "whet-pebble", "training_file": await file_of(given, lines(12))}
    own = (await given.post(PATH, **body, metadata={"a": "", "b": "1"}))["id"]
    bare = (await given.post(PATH, **body))["id"]

    async def found(query: str) -> list[str]:
        listed = (await given.http.get(f"{PATH}?{query}")).json()
        return [job["id"] for job in listed["data"]]

    assert await found("metadata[a]=") == await found("metadata[b]=1&metadata[a]=") == [own]
    assert await found("metadata=null") == [bare]
    assert await found("metadata[a]=1") == []
    assert await found("other]=1") == [bare, own]
    for query in ("metadata=x", "metadata[a=x", "metadata=null&metadata[a]="):
        assert (await given.http.get(f"{PATH}?{query}")).status_code == 400


async def test_nothing_of_anothers_fine_tuning_is_seen_or_changed(given: Composed) -> None:
    acme, globex = Tenant(given, "acme"), Tenant(given, "globex")
    sent = {"files": {"file": ("t.jsonl", lines(12))}, "data": {"purpose": "fine-tune"}}
    uploaded = await given.http.post("/v1/files", headers=acme.headers, **sent)  # type: ignore[arg-type]
    body = {"model": "whet-pebble", "training_file": uploaded.json()["id"]}
    job = (await acme.ask("POST", PATH, **body)).json()["id"]
    refused = await globex.ask("POST", PATH, **body)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "invalid_file"
    for verb, path in (
        ("GET", ""), ("GET", "/events"), ("GET", "/checkpoints"), ("POST", "/cancel"),
        ("POST", "/pause"), ("POST", "/resume"),
    ):  # fmt: skip
        assert (await globex.ask(verb, f"{PATH}/{job}{path}")).status_code == 404
    assert (await globex.ask("GET", f"{PATH}?after={job}")).status_code == 404
    assert (await globex.ask("GET", PATH)).json()["data"] == []
    assert (await acme.ask("GET", f"{PATH}/{job}")).json()["status"] == "queued"

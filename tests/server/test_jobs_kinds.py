"""What jobs do besides training: a file read into memory, an index built anew."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from memory import jsonl
from memory.embedding.embedder import create_embedder
from memory.errors import NotFoundError, StorageUnavailableError
from memory.history.files import NewFile
from memory.index import cache
from memory.memory import LongTermMemory
from memory.offline.job import Job, JobKind, JobStatus, NewJob, Wish
from memory.tenants import Limits
from memory.types import State
from server.cli import main
from server.config import Settings
from server.jobs import performing
from server.jobs.folders import folder_of
from server.jobs.kinds import run_of
from server.jobs.performing import perform
from server.jobs.work import Work

LINES = [json.dumps({"question": f"What is {i} lamp 5?", "answer": str(i + 5)}) for i in range(40)]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[LongTermMemory]:
    opened = LongTermMemory.open(tmp_path, create_embedder("hashing"))
    yield opened
    opened.close()


def asked(memory: LongTermMemory, kind: JobKind, **request: object) -> Work:
    memory.jobs.create(NewJob(tenant="default", kind=kind, request=request), 10)
    return claimed(memory)


def claimed(memory: LongTermMemory) -> Work:
    job = memory.jobs.claim("one")
    assert job is not None
    folder = folder_of(memory.data_dir, job.id)
    return Work(job, memory, Settings(data_dir=memory.data_dir), folder, "one")


def now(work: Work) -> Job:
    return work.memory.jobs.get("default", work.job.id)


def kept(memory: LongTermMemory, content: bytes, tenant: str = "default") -> str:
    new = NewFile(tenant=tenant, name="a.jsonl", purpose="user_data")
    return memory.files.create(new, [content]).id


def count(memory: LongTermMemory) -> int:
    return sum(1 for _ in memory.walk("default", state=State.ACTIVE))


@pytest.mark.parametrize("packed", [False, True])
async def test_a_file_is_imported_with_a_report(memory: LongTermMemory, packed: bool) -> None:
    content = "\n".join([*LINES, '{"question": "no answer"}']).encode()
    file = kept(memory, gzip.compress(content) if packed else content)
    work = asked(memory, JobKind.IMPORT, file=file)
    assert await perform(work, run_of(JobKind.IMPORT)) is JobStatus.SUCCEEDED
    result = now(work).result or {}
    assert (result["imported"], result["failed"]) == (40, 1)
    assert result["errors"][0][0] == 41
    assert count(memory) == 40
    assert memory.files.get("default", file).id == file


async def test_an_import_that_was_killed_after_its_file_was_deleted_is_done(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = kept(memory, "\n".join(LINES).encode())
    work = asked(memory, JobKind.IMPORT, file=file, drop=True)
    with monkeypatch.context() as killed:
        killed.setattr(memory.jobs, "end", unavailable)
        with pytest.raises(StorageUnavailableError):
            await perform(work, run_of(JobKind.IMPORT))
    with pytest.raises(NotFoundError):
        memory.files.get("default", file)
    memory.jobs.let_go(work.job.id, "one")
    again = claimed(memory)
    assert await perform(again, run_of(JobKind.IMPORT)) is JobStatus.SUCCEEDED
    assert (now(again).result or {})["imported"] == 40


def unavailable(*_: object, **__: object) -> None:
    raise StorageUnavailableError("the disk is full")


async def test_another_tenants_file_is_none(memory: LongTermMemory) -> None:
    work = asked(memory, JobKind.IMPORT, file=kept(memory, LINES[0].encode(), "bob"))
    assert await perform(work, run_of(JobKind.IMPORT)) is JobStatus.FAILED
    assert "no file" in (now(work).error or "")
    assert count(memory) == 0


async def test_an_import_rests_after_a_commit_and_goes_on_without_storing_twice(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "GROUP", 1)
    monkeypatch.setattr(performing, "BEAT_S", 0.01)
    begun, loop = asyncio.Event(), asyncio.get_running_loop()
    work = asked(memory, JobKind.IMPORT, file=kept(memory, "\n".join(LINES).encode()))
    work._on_progress = lambda *_: loop.call_soon_threadsafe(begun.set)
    doing = asyncio.create_task(perform(work, run_of(JobKind.IMPORT)))
    await begun.wait()
    memory.jobs.ask("default", work.job.id, Wish.PAUSE)
    assert await doing is JobStatus.PAUSED
    stored = count(memory)
    assert 0 < stored < 40
    memory.jobs.ask("default", work.job.id, Wish.RESUME)
    again = claimed(memory)
    assert await perform(again, run_of(JobKind.IMPORT)) is JobStatus.SUCCEEDED
    result = now(again).result or {}
    assert (result["confirmed"], result["imported"]) == (stored, 40 - stored)
    assert count(memory) == 40


async def test_an_import_ends_where_the_tenants_day_has_no_room_but_for_an_operators(
    memory: LongTermMemory,
) -> None:
    memory.tenants.set("default", Limits(records_per_day=30))
    file = kept(memory, "\n".join(LINES).encode())
    work = asked(memory, JobKind.IMPORT, file=file)
    assert await perform(work, run_of(JobKind.IMPORT)) is JobStatus.FAILED
    told = now(work).error or ""
    assert told.startswith("30 lines are stored, then: this tenant may save 30 records a day")
    assert count(memory) == 30
    whole = asked(memory, JobKind.IMPORT, file=file, unlimited=True)
    assert await perform(whole, run_of(JobKind.IMPORT)) is JobStatus.SUCCEEDED
    assert count(memory) == 40


async def test_an_index_is_built_anew_with_what_lacks_a_vector(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    jsonl.import_lines(memory, "default", LINES)
    memory.close()
    monkeypatch.setattr(cache, "BATCH", 16)
    embedder = create_embedder("hashing")
    monkeypatch.setattr(embedder, "id", "another@1")
    told: list[tuple[str, int, int]] = []
    other = LongTermMemory.open(tmp_path, embedder)
    try:
        work = asked(other, JobKind.REINDEX)
        work._on_progress = lambda *now: told.append(now)
        assert await perform(work, run_of(JobKind.REINDEX)) is JobStatus.SUCCEEDED
        assert now(work).result == {"indexed": 40}
    finally:
        other.close()
    assert told == [("embedding", 16, 40), ("embedding", 32, 40), ("embedding", 40, 40)]


async def test_commands_leave_their_work_to_the_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(LINES))
    where = ["--data-dir", str(tmp_path), "--embedder", "hashing"]
    assert main(["memory", "import", "-", "--detach", *where]) == 2
    assert main(["memory", "import", str(path), "--detach", *where]) == 0
    assert main(["memory", "rebuild", "--detach", *where]) == 0
    path.unlink()
    memory = LongTermMemory.open(tmp_path, create_embedder("hashing"))
    memory.tenants.set("default", Limits(records_per_day=1))
    try:
        for kind in (JobKind.IMPORT, JobKind.REINDEX):
            work = claimed(memory)
            assert work.job.kind is kind
            assert await perform(work, run_of(kind)) is JobStatus.SUCCEEDED
        assert count(memory) == 40
        assert memory.files.list("default") == [], "it was kept for the job alone"
    finally:
        memory.close()

"""A job that is done: whatever happens, its end or its rest is in the database."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from memory.embedding.embedder import create_embedder
from memory.errors import StorageUnavailableError
from memory.memory import LongTermMemory
from memory.offline import jobs as jobs_module
from memory.offline.job import Job, JobKind, JobStatus, NewJob, Wish
from server.config import Settings
from server.jobs import performing
from server.jobs.estimate import finish_of
from server.jobs.folders import drop_left, folder_of
from server.jobs.kind import JobFailedError
from server.jobs.logs import told_to
from server.jobs.performing import perform
from server.jobs.work import MOST_EVENTS, Work


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[LongTermMemory]:
    opened = LongTermMemory.open(tmp_path, create_embedder("hashing"))
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performing, "BEAT_S", 0.02)


def begun(memory: LongTermMemory) -> Work:
    memory.jobs.create(NewJob(tenant="ann", kind=JobKind.DISTILL, request={}), 10)
    job = memory.jobs.claim("one")
    assert job is not None
    folder = folder_of(memory.data_dir, job.id)
    return Work(job, memory, Settings(data_dir=memory.data_dir), folder, "one")


def now(work: Work) -> Job:
    return work.memory.jobs.get("ann", work.job.id)


def told(work: Work) -> list[str]:
    found = work.memory.jobs.events("ann", work.job.id, 50, oldest=True)
    return [event.message for event in found]


async def for_ever(work: Work) -> dict[str, Any]:
    (work.folder / "half").write_text("done")
    await asyncio.Event().wait()
    return {}


async def test_what_a_kind_returns_and_said_is_kept(memory: LongTermMemory) -> None:
    async def run(work: Work) -> dict[str, Any]:
        work.progress("train", 1, 2)
        work.tell("half of it", level="warn")
        work.metrics(1, {"loss": 0.5})
        await work.keep({"so": "far"})
        assert now(work).result == {"so": "far"}
        return {"loss": 0.1}

    work = begun(memory)
    assert await perform(work, run) is JobStatus.SUCCEEDED
    ended = now(work)
    assert (ended.status, ended.result) == (JobStatus.SUCCEEDED, {"loss": 0.1})
    assert ended.progress is not None
    assert (ended.progress.phase, ended.progress.done) == ("train", 1)
    assert told(work) == ["half of it", "step 1: loss 0.5"]
    assert not work.folder.exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [(JobFailedError("no records"), "no records"), (KeyError("lost"), "KeyError: 'lost'")],
)
async def test_what_a_kind_raises_is_the_jobs_error(
    memory: LongTermMemory, error: Exception, said: str
) -> None:
    async def run(work: Work) -> dict[str, Any]:
        work.tell("before")
        raise error

    work = begun(memory)
    assert await perform(work, run) is JobStatus.FAILED
    assert (now(work).status, now(work).error) == (JobStatus.FAILED, said)
    assert told(work) == ["before", said]


@pytest.mark.parametrize(
    ("wish", "status"), [(Wish.CANCEL, JobStatus.CANCELLED), (Wish.PAUSE, JobStatus.PAUSED)]
)
async def test_a_wish_is_obeyed_wherever_the_kind_is(
    memory: LongTermMemory, wish: Wish, status: JobStatus
) -> None:
    work = begun(memory)
    doing = asyncio.create_task(perform(work, for_ever))
    await asyncio.sleep(0.05)
    memory.jobs.ask("ann", work.job.id, wish)
    assert await asyncio.wait_for(doing, 30) is status
    assert now(work).status is status
    kept = wish is Wish.PAUSE
    assert (work.folder / "half").exists() is kept, "whoever resumes it goes on from there"


async def test_a_process_that_is_to_end_leaves_its_job_to_others(memory: LongTermMemory) -> None:
    work = begun(memory)
    doing = asyncio.create_task(perform(work, for_ever))
    await asyncio.sleep(0.05)
    doing.cancel()
    assert await doing is JobStatus.QUEUED
    again = memory.jobs.claim("two")
    assert again is not None
    assert again.id == work.job.id
    assert (work.folder / "half").exists()


async def test_a_job_that_is_anothers_is_let_alone(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = begun(memory)
    monkeypatch.setattr(jobs_module, "HELD_S", -1.0)
    assert memory.jobs.hold(work.job.id, "one") is not None
    monkeypatch.undo()
    monkeypatch.setattr(performing, "BEAT_S", 0.02)
    assert memory.jobs.claim("two") is not None
    assert await asyncio.wait_for(perform(work, for_ever), 30) is JobStatus.RUNNING
    assert memory.jobs.hold(work.job.id, "two") is not None
    assert (work.folder / "half").exists()


async def test_a_beat_that_fails_is_not_the_last(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    work = begun(memory)
    full = [StorageUnavailableError("full") for _ in range(3)]
    beat, failures = work.beat, iter([KeyError("odd"), *full])

    def failing() -> None:
        if (error := next(failures, None)) is not None:
            raise error
        beat()

    monkeypatch.setattr(work, "beat", failing)
    doing = asyncio.create_task(perform(work, for_ever))
    memory.jobs.ask("ann", work.job.id, Wish.CANCEL)
    assert await asyncio.wait_for(doing, 30) is JobStatus.CANCELLED
    assert caplog.text.count("waits for the storage: full") == 1


def test_nothing_said_is_lost_where_it_cannot_be_written_at_once(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = begun(memory)
    work.tell("first")
    with monkeypatch.context() as patch:
        patch.setattr(memory.jobs, "note", unavailable)
        with pytest.raises(StorageUnavailableError):
            work.flush()
    work.tell("second")
    work.flush()
    assert told(work) == ["first", "second"]


def flushed(work: Work, together: Barrier) -> None:
    together.wait(30)
    work.flush()


def unavailable(*_: object) -> None:
    raise StorageUnavailableError("the disk is full")


def test_a_beat_and_a_kind_may_write_together(memory: LongTermMemory) -> None:
    work, both, before = begun(memory), Barrier(2), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as pool:
            for _ in range(5):
                for i in range(MOST_EVENTS):
                    work.tell(str(i))
                flushes = [pool.submit(flushed, work, both) for _ in range(2)]
                assert [each.exception() for each in flushes] == [None, None]
    finally:
        sys.setswitchinterval(before)
    events = memory.jobs.events("ann", work.job.id, 6 * MOST_EVENTS)
    assert len(events) == 5 * MOST_EVENTS


async def test_what_whet_logs_is_told(
    memory: LongTermMemory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)  # as vLLM, once imported, leaves it

    async def run(work: Work) -> dict[str, Any]:
        logging.getLogger("adaptation.somewhere").info("a %s thing", "strange")
        logging.getLogger("other.library").warning("not ours")
        return {}

    work = begun(memory)
    with told_to(work):
        await perform(work, run)
    assert told(work) == ["a strange thing"]


def test_folders_of_jobs_that_are_done_are_deleted(memory: LongTermMemory) -> None:
    work = begun(memory)
    work.folder.mkdir(parents=True)
    left = folder_of(memory.data_dir, "job_gone")
    left.mkdir()
    drop_left(memory.jobs, memory.data_dir)
    assert work.folder.exists()
    assert not left.exists()


def test_when_a_job_will_be_done_is_judged_by_its_phase(memory: LongTermMemory) -> None:
    work = begun(memory)
    assert finish_of(now(work)) is None
    work.progress("load", 1, 1)
    work.progress("train", 50, 100)  # what was done before a kill says nothing of how fast it goes
    work.flush()
    assert finish_of(now(work)) is None
    work.progress("train", 60, 100)
    work.flush()
    job = now(work)
    assert job.progress is not None
    began_at = job.progress.began_at
    assert began_at is not None
    long_ago = job.model_copy(
        update={"progress": job.progress.model_copy(update={"began_at": began_at - 1000})}
    )
    finish = finish_of(long_ago)
    assert finish is not None
    assert 3999 <= finish - began_at < 4600, "ten took a thousand seconds, and forty are left"
    memory.jobs.end(job.id, "one", JobStatus.SUCCEEDED)
    assert finish_of(now(work)) is None


def test_who_goes_on_with_a_phase_judges_it_by_its_own_pace(memory: LongTermMemory) -> None:
    before = begun(memory)
    before.progress("train", 40, 100)
    before.flush()
    work = Work(now(before), memory, before.settings, before.folder, before.holder)
    work.progress("train", 40, 100)
    work.progress("train", 41, 100)
    work.flush()
    progress = now(work).progress
    assert progress is not None
    assert (progress.began, progress.began_at is None) == (40, False)


def test_phases_beside_each_other_are_judged_each_by_its_own_pace(memory: LongTermMemory) -> None:
    work = begun(memory)
    for done in range(3):
        work.progress("train", 10 + done, 100)
        work.progress("far guards", done, 60)
    work.flush()
    progress = now(work).progress
    assert progress is not None
    assert (progress.phase, progress.began, progress.done) == ("far guards", 0, 2)
    assert finish_of(now(work)) is not None


def test_a_phase_that_comes_again_is_judged_anew(memory: LongTermMemory) -> None:
    work = begun(memory)
    work.progress("doubt", 64, 64)
    work.progress("doubt", 1, 32)
    work.flush()
    progress = now(work).progress
    assert progress is not None
    assert progress.began == 1


def test_a_step_is_told_in_words_and_for_programs(memory: LongTermMemory) -> None:
    work = begun(memory)
    work.metrics(4, {"train_loss": 9.28693580627, "family": "sums"}, 12)
    work.metrics(0, {"real_share": 1.0})
    work.flush()
    whole, step = memory.jobs.events("ann", work.job.id, 2)
    assert step.message == "step 4 of 12: train_loss 9.28694, family sums"
    assert step.data == {
        "step": 4,
        "train_loss": 9.28693580627,
        "family": "sums",
        "total_steps": 12,
    }
    assert (whole.message, whole.data) == ("real_share 1", {"step": 0, "real_share": 1.0})

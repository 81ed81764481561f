"""Jobs in processes of their own, through deaths, rests and ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from adaptation.pebble import model_path
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.offline.job import Job, JobKind, JobStatus, NewJob, Wish
from memory.offline.schedule import NewSchedule
from memory.types import Draft, Message, Tier
from server.config import Settings
from server.jobs import runner as runner_module
from server.jobs.device import held, holder_of, lock_of
from server.jobs.folders import folder_of
from server.jobs.runner import JobRunner, told


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[LongTermMemory]:
    opened = LongTermMemory.open(tmp_path, create_embedder("hashing"))
    opened.save_many([_draft(i) for i in range(32)])
    yield opened
    opened.close()


def _draft(i: int) -> Draft:
    asked = (Message(role="user", content=f"What is {i} lamp 5?"),)
    said = str(i + 5)
    return Draft(tenant="ann", messages=asked, answer=said, rationale=said, tier=Tier.FEEDBACK)


def made(memory: LongTermMemory, *, dry_run: bool = False) -> Job:
    request = {"model": str(model_path()), "dry_run": dry_run}
    return memory.jobs.create(NewJob(tenant="ann", kind=JobKind.DISTILL, request=request), 10)


def lock(settings: Settings) -> Path:
    return lock_of(settings.device_locks, "cpu")


def nobody(_: str) -> httpx.AsyncClient:
    return httpx.AsyncClient()


@asynccontextmanager
async def running(memory: LongTermMemory) -> AsyncIterator[asyncio.Event]:
    news = asyncio.Event()
    settings = Settings(data_dir=memory.data_dir, embedder="hashing")
    jobs = JobRunner(memory, settings, news, lambda: lock(settings), nobody)
    runner = asyncio.create_task(jobs.follow())
    try:
        yield news
    finally:
        runner.cancel()
        await asyncio.gather(runner, return_exceptions=True)


async def until(memory: LongTermMemory, job: Job, holds: Callable[[Job], bool]) -> Job:
    async with asyncio.timeout(120):
        while not holds(now := memory.jobs.get(job.tenant, job.id)):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return now


def worker(job: Job) -> psutil.Process | None:
    """Return the process that does a job, where there is one."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if job.id in process.cmdline():
                return process
    return None


async def test_jobs_and_what_schedules_want_are_done_and_say_what_came_of_them(
    memory: LongTermMemory,
) -> None:
    good, asked = made(memory, dry_run=True), {"model": str(model_path()), "dry_run": True}
    memory.schedules.create(
        NewSchedule(tenant="bob", kind=JobKind.DISTILL, request=asked, cron="0 3 * * *", next_at=0)
    )
    async with running(memory):
        done = await until(memory, good, lambda job: not job.is_open)
        (bad,) = memory.jobs.list("bob", 10)
        failed = await until(memory, bad, lambda job: not job.is_open)
    assert done.status is JobStatus.SUCCEEDED
    assert done.result is not None
    assert (done.result["decision"], done.result["train"] + done.result["holdout"]) == (
        "dry_run",
        32,
    )
    assert failed.status is JobStatus.FAILED
    assert "tenant 'bob' has 0 usable verified records" in (failed.error or "")


async def test_a_job_outlives_its_process_rests_and_is_cancelled(memory: LongTermMemory) -> None:
    job = made(memory)
    async with running(memory) as news:
        await until(memory, job, lambda job: job.progress is not None)
        first = worker(job)
        assert first is not None
        first.kill()
        await until(memory, job, lambda job: worker(job) not in (None, first))
        memory.jobs.ask("ann", job.id, Wish.PAUSE)
        await until(memory, job, lambda job: job.status is JobStatus.PAUSED)
        memory.jobs.ask("ann", job.id, Wish.RESUME)
        news.set()
        await until(memory, job, lambda job: job.status is JobStatus.RUNNING)
        memory.jobs.ask("ann", job.id, Wish.CANCEL)
        await until(memory, job, lambda job: job.status is JobStatus.CANCELLED)
    assert not folder_of(memory.data_dir, job.id).exists()


async def test_while_another_has_the_device_only_what_does_not_train_is_done(
    memory: LongTermMemory,
) -> None:
    training = made(memory, dry_run=True)
    other = memory.jobs.create(NewJob(tenant="ann", kind=JobKind.REINDEX, request={}), 10)
    device = lock(Settings(data_dir=memory.data_dir))
    with held(device) as ours:
        ours.say("job_of_another_folder")
        async with running(memory):
            done = await until(memory, other, lambda job: not job.is_open)
        assert done.result == {"indexed": 32}
        assert memory.jobs.get("ann", training.id).status is JobStatus.QUEUED
        assert holder_of(device) == "job_of_another_folder"
    async with running(memory):
        done = await until(memory, training, lambda job: not job.is_open)
    assert done.status is JobStatus.SUCCEEDED


async def test_a_server_that_ends_leaves_its_job_to_the_next(memory: LongTermMemory) -> None:
    job = made(memory)
    async with running(memory):
        await until(memory, job, lambda job: job.progress is not None)
        process = worker(job)
        assert process is not None
    assert not process.is_running()
    assert memory.jobs.get("ann", job.id).status is JobStatus.QUEUED


async def test_a_job_that_kills_its_process_every_time_fails(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = made(memory)
    monkeypatch.setattr(runner_module.child, "command", lambda *_: ("/bin/sh", "-c", "exit 7"))
    async with running(memory) as news:
        news.set()
        failed = await until(memory, job, lambda job: not job.is_open)
    assert (failed.status, failed.error) == (
        JobStatus.FAILED,
        "its process ended with 7 3 times: see the server's log",
    )


async def test_a_server_that_is_started_anew_remembers_how_often_a_job_was_killed(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = made(memory)
    for _ in range(2):
        memory.jobs.take("ann", job.id, "a server before")
        memory.jobs.killed(job.id, "a server before")
        memory.jobs.let_go(job.id, "a server before")
    monkeypatch.setattr(runner_module.child, "command", lambda *_: ("/bin/sh", "-c", "exit 7"))
    async with running(memory) as news:
        news.set()
        failed = await until(memory, job, lambda job: not job.is_open)
    assert "ended with 7 3 times" in (failed.error or "")


async def test_a_process_that_does_not_obey_is_killed(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "LOOK_S", 0.1)
    monkeypatch.setattr(runner_module, "OBEYS_S", 0.3)
    deaf = ("/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    monkeypatch.setattr(runner_module.child, "command", lambda *_: deaf)
    job = made(memory)
    async with running(memory):
        await until(memory, job, lambda job: job.status is JobStatus.RUNNING)
        memory.jobs.ask("ann", job.id, Wish.CANCEL)
        await until(memory, job, lambda job: job.status is JobStatus.CANCELLED)


def test_a_process_of_ours_is_told_the_settings_and_the_password() -> None:
    url = "postgresql://ann:secret@127.0.0.1/whet"
    settings = Settings(data_dir=Path("/d"), database_url=url, temperatures=(0.5, 1.0))  # type: ignore[arg-type]
    assert Settings.model_validate_json(told(settings)) == settings
    assert "secret" not in json.dumps(settings.model_dump(mode="json"))

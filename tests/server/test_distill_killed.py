"""A distillation that is killed once its version is registered, and whoever goes on with it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adaptation.learning.training.fake import FakeTrainer
from memory.memory import LongTermMemory
from memory.offline.job import Job, JobKind, JobStatus, NewJob
from server.config import Settings
from server.jobs.folders import folder_of
from server.jobs.kinds import distill, run_of
from server.jobs.performing import perform
from server.jobs.work import Work
from server.memory_opening import memory_of
from tests.server.learning import solves

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.server import test_distill_killed as here

with here.opened(Path(sys.argv[1])) as memory:
    memory.judgements.add = lambda _: os.kill(os.getpid(), signal.SIGKILL)
    here.distill.make_trainer = lambda *_: here.FakeTrainer(answer=here.solves)
    asyncio.run(here.done(memory))
"""


def settings_of(folder: Path) -> Settings:
    return Settings(data_dir=folder, embedder="hashing")


def opened(folder: Path) -> closing[LongTermMemory]:
    return closing(memory_of(settings_of(folder)))


async def done(memory: LongTermMemory) -> JobStatus:
    """Go on with the job."""
    job = memory.jobs.claim("one")
    assert job is not None
    settings = settings_of(memory.data_dir)
    work = Work(job, memory, settings, folder_of(memory.data_dir, job.id), "one")
    return await perform(work, run_of(JobKind.DISTILL))


@pytest.fixture
def memory(data: list[str], tmp_path: Path) -> Iterator[LongTermMemory]:
    with opened(tmp_path / "data") as found:
        yield found


def killed(memory: LongTermMemory) -> Job:
    """Have another process do a job until it is killed where the judgement would be kept."""
    request = {"model": "whet-pebble", "bare": "learn"}
    job = memory.jobs.create(NewJob(tenant="default", kind=JobKind.DISTILL, request=request), 10)
    words = [sys.executable, "-c", KILLED, str(memory.data_dir)]
    ended = subprocess.run(words, cwd=Path(__file__).parents[2], check=False, timeout=120)
    assert ended.returncode == -signal.SIGKILL
    memory.jobs.let_go(job.id, "one")
    return job


async def test_a_job_that_was_killed_once_its_version_was_promoted_says_so_and_makes_no_second(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = killed(memory)
    champion = memory.adapters.alias("default", "champion")
    assert champion is not None, "it was promoted"
    assert memory.judgements.of("default", "whet-pebble") == ()
    trainer = FakeTrainer(answer=solves)
    monkeypatch.setattr(distill, "make_trainer", lambda *_: trainer)
    assert await done(memory) is JobStatus.SUCCEEDED
    result = memory.jobs.get("default", job.id).result or {}
    assert (result["decision"], result["adapter"]) == ("promoted", champion.id)
    assert result["train"] == len(champion.record_ids)
    assert not trainer.jobs, "nothing is trained twice"
    assert memory.adapters.alias("default", "champion") == champion
    (judged,) = memory.judgements.of("default", "whet-pebble")
    assert (judged.promoted, judged.adapter_id) == (True, champion.id)
    assert len(judged.record_ids) == result["asked"]
    (chosen,) = memory.candidates.selections("default", "whet-pebble")
    assert (chosen.adapter_id, chosen.gain) == (champion.id, 1.0)

"""What becomes of a trainer whose process is killed, hangs or is stopped."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from adaptation.errors import TrainerError, TrainerLostError
from adaptation.learning.training import link, resident
from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.trainer import TrainingJob
from tests.adaptation.training.working import LIGHT_WORKER, in_training

pytestmark = pytest.mark.asyncio(loop_scope="module")
Job = Callable[..., TrainingJob]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trainer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ProcessTrainer]:
    """A process of the same kind without a model, for those that are killed and stopped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(link, "WORKER", LIGHT_WORKER)
        trainer = ProcessTrainer(tmp_path_factory.mktemp("no model"), threads=1, device="cpu")
        yield trainer
        await trainer.close()


async def test_a_killed_process_is_an_error_and_the_next_job_works(
    trainer: ProcessTrainer, tmp_path: Path, job: Job
) -> None:
    work = await in_training(trainer, job(tmp_path / "a"))
    pid = trainer.pid
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(TrainerLostError, match="SIGKILL"):
        await work
    assert trainer.status == "starting"
    await trainer.train(job(tmp_path / "b"), 300)
    assert trainer.pid not in (pid, None)


async def test_a_process_killed_between_two_jobs_is_replaced(
    trainer: ProcessTrainer, tmp_path: Path, job: Job
) -> None:
    await trainer.start()
    pid = trainer.pid
    os.kill(pid, signal.SIGKILL)
    try:
        await trainer.train(job(tmp_path), 300)
    except TrainerLostError:  # the death was noticed only while the job was being sent
        await trainer.train(job(tmp_path), 300)
    assert trainer.pid not in (pid, None)


async def test_a_hung_process_is_an_error_and_the_next_job_works(
    trainer: ProcessTrainer, tmp_path: Path, job: Job
) -> None:
    await trainer.start()
    pid = trainer.pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(TrainerError, match="outlasted"):
        await trainer.train(job(tmp_path), 0.2)
    assert trainer.pid == pid  # the caller need not await the end of it
    await trainer.train(job(tmp_path), 300)
    assert trainer.pid != pid


async def statuses_until_ready(trainer: ProcessTrainer) -> list[str]:
    """The statuses that follow upon `ready`, until it is that again."""
    seen = ["ready"]
    async with asyncio.timeout(300):
        while len(seen) == 1 or seen[-1] != "ready":
            await asyncio.sleep(0.01)
            seen += [trainer.status] * (trainer.status != seen[-1])
    return seen[1:]


async def test_a_stopped_process_is_not_called_ready_and_is_replaced(
    trainer: ProcessTrainer, tmp_path: Path, job: Job
) -> None:
    await trainer.start()
    pid = trainer.pid
    os.kill(pid, signal.SIGSTOP)
    seen = await statuses_until_ready(trainer)  # with no job that would notice
    assert seen[:2] == ["stopped", "starting"]
    assert trainer.pid != pid
    await trainer.train(job(tmp_path), 300)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_the_end_of_the_process_is_told_to_every_job_in_flight(
    trainer: ProcessTrainer, tmp_path: Path, job: Job, how: signal.Signals
) -> None:
    works = [await in_training(trainer, job(tmp_path / str(n))) for n in range(3)]
    pid = trainer.pid
    os.kill(pid, how)
    ends = await asyncio.gather(*works, return_exceptions=True)
    reason = {signal.SIGKILL: "SIGKILL", signal.SIGSTOP: "it was stopped"}[how]
    assert [type(end) for end in ends] == [TrainerLostError] * 3
    assert all(reason in str(end) for end in ends)
    await trainer.train(job(tmp_path / "next"), 300)
    assert trainer.pid not in (pid, None)


async def test_a_job_that_is_not_given_up_ends_the_process_and_the_others_are_told_why(
    trainer: ProcessTrainer, tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident, "CANCEL_GRACE_S", 0.1)
    monkeypatch.setattr(resident, "LOOK_S", 100.0)
    works = [await in_training(trainer, job(tmp_path / str(n))) for n in range(2)]
    os.kill(trainer.pid, signal.SIGSTOP)
    works[0].cancel()
    with pytest.raises(TrainerLostError, match="it did not give a job up"):
        await works[1]
    await trainer.train(job(tmp_path / "next"), 300)


async def test_jobs_that_are_given_up_again_and_again_keep_no_other_from_training(
    trainer: ProcessTrainer, tmp_path: Path, job: Job
) -> None:
    await trainer.start()
    settling = trainer._resident._settling
    ends = asyncio.Event(), asyncio.Event()
    first, next_one = (asyncio.create_task(_until(end)) for end in ends)
    settling.add(first)
    work = asyncio.create_task(trainer.train(job(tmp_path), 60))
    await asyncio.sleep(0)
    assert not work.done()
    settling.discard(first)
    settling.add(next_one)  # given up before the one before it was settled
    ends[0].set()
    await work
    ends[1].set()
    await next_one
    settling.discard(next_one)


async def _until(end: asyncio.Event) -> None:
    await end.wait()

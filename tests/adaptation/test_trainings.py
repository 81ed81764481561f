"""How long one more training would wait is estimated from those before it, whatever their end."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from adaptation.conversation import spoken
from adaptation.errors import TrainerError
from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.training.trainer import TrainingJob, TrainingResult
from adaptation.learning.trainings import Trainings
from memory.types import Message

TURNS = spoken(Message(role="user", content="a?"), Message(role="assistant", content="b"))


def job(folder: Path) -> TrainingJob:
    return TrainingJob(conversations=(TURNS,), output_dir=str(folder))


async def test_where_no_training_ends_in_time_the_next_is_told_to_wait_long(tmp_path: Path) -> None:
    trainings, trainer = Trainings(), FakeTrainer()
    trainer.let_go.clear()
    with pytest.raises(TrainerError):
        await trainings.run(trainer, job(tmp_path), timeout_s=0.2)
    assert trainings.typical_s >= 0.2
    running = asyncio.create_task(trainings.run(trainer, job(tmp_path), timeout_s=60))
    await asyncio.sleep(0)
    assert trainings.expected_wait_s >= 0.2
    running.cancel()
    await asyncio.wait([running])
    assert trainings.expected_wait_s == 0


async def test_a_training_that_fails_at_once_says_nothing_of_the_time_one_takes(
    tmp_path: Path,
) -> None:
    trainings, trainer = Trainings(), FakeTrainer(script=[TrainerError("broken")])
    trainer.let_go.clear()
    asyncio.get_running_loop().call_later(0.1, trainer.let_go.set)
    with pytest.raises(TrainerError):
        await trainings.run(trainer, job(tmp_path), timeout_s=60)
    slow = trainings.typical_s
    with pytest.raises(TrainerError):
        await trainings.run(FakeTrainer(script=[TrainerError("broken")]), job(tmp_path), 60)
    assert trainings.typical_s == slow


async def test_who_leaves_the_queue_says_nothing_of_the_time_one_takes(tmp_path: Path) -> None:
    trainings, trainer = Trainings(), FakeTrainer()
    trainer.let_go.clear()
    first, *waiting = (
        asyncio.create_task(trainings.run(trainer, job(tmp_path), timeout_s=60)) for _ in range(4)
    )
    await asyncio.sleep(0.05)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert trainings.typical_s == 0
    trainer.let_go.set()
    await first
    assert trainings.typical_s > 0


async def test_jobs_that_end_together_cost_together_what_one_does(tmp_path: Path) -> None:
    trainings, trainer, began = Trainings(), FakeTrainer(), time.monotonic()
    trainer.let_go.clear()
    given = [
        asyncio.create_task(trainings.run(trainer, job(tmp_path), timeout_s=60)) for _ in range(4)
    ]
    await asyncio.sleep(0.2)
    trainer.let_go.set()
    await asyncio.gather(*given)
    assert trainings.typical_s == pytest.approx((time.monotonic() - began) / 4, rel=0.2)


class Paced(FakeTrainer):
    """Takes so many steps in so many seconds, by its own word."""

    def __init__(self, steps: int, seconds: float) -> None:
        super().__init__()
        self._told = {"steps": steps, "seconds": seconds}

    async def train(self, job: TrainingJob, *rest: Any) -> TrainingResult:
        return (await super().train(job, *rest)).model_copy(update=self._told)


async def test_a_step_is_known_from_trainings_of_many_steps_whole_or_not(tmp_path: Path) -> None:
    trainings = Trainings()
    await trainings.run(Paced(1, 9.0), job(tmp_path), timeout_s=60)
    assert trainings.step_s == 0, "the self-test at the start is mostly preparation"
    await trainings.run(Paced(20, 30.0), job(tmp_path), timeout_s=60)
    assert trainings.step_s == 1.5

"""A trainer's actor, without Ray and without a model: whatever is cancelled, nobody trains on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from adaptation.learning.ray import actor
from adaptation.learning.ray.actor import Seat, TrainerActor
from adaptation.learning.training.chat import Template
from adaptation.learning.training.messages import Failed, Train
from adaptation.learning.training.trainer import Recipe, TrainingJob
from tests.adaptation.training.light_worker import LightWorker

CANCELLED = "the job was cancelled"
WAIT_S = 60.0
LONG = Recipe(steps=3_000)
"""Seconds, after which it fails: a light worker writes no adapter."""


BROKEN = """
import time
from adaptation.learning.ray import actor
from adaptation.learning.training.chat import Template

class Worker:
    def __init__(self, inbox, options):
        pass

    def serve(self):
        raise OSError("nobody foresaw this")

actor.Worker = Worker
actor.TrainerActor(actor.Seat(model="", template=Template(), threads=1, device="cpu"))
time.sleep(600)
"""


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> TrainerActor:
    monkeypatch.setattr(actor, "Worker", lambda inbox, options: LightWorker(inbox))
    return TrainerActor(Seat(model="", template=Template(), threads=1, device="cpu"))


@pytest.fixture
def work(job: Callable[..., TrainingJob], tmp_path: Path) -> Train:
    """What is trained for seconds where nobody gives it up."""
    return Train(id=1, job=job(tmp_path, recipe=LONG))


@pytest.mark.parametrize("turns", [None, 0, 1, 2])
async def test_a_job_that_is_cancelled_before_it_is_put_in_the_queue_is_not_begun(
    trainer: TrainerActor, work: Train, turns: int | None
) -> None:
    """`turns` of the loop after it came, or before it did: the two are calls that can overtake."""
    if turns is None:
        assert not await trainer.cancel(work.id)
    async with asyncio.timeout(WAIT_S):
        asking = asyncio.create_task(trainer.ask(work))
        if turns is not None:
            for _ in range(turns):
                await asyncio.sleep(0)
            assert not await trainer.cancel(work.id)
        outcome = await asking
    assert outcome.reply == Failed(id=work.id, error=CANCELLED)
    assert outcome.step is None


async def test_a_job_that_is_cancelled_in_training_ends_and_the_next_one_is_begun(
    trainer: TrainerActor, work: Train
) -> None:
    for number in (1, 2):
        async with asyncio.timeout(WAIT_S):
            asking = asyncio.create_task(trainer.ask(work.model_copy(update={"id": number})))
            (step,) = await trainer.steps()
            assert await trainer.cancel(number)
            outcome = await asking
        assert step.id == number
        assert outcome.reply == Failed(id=number, error=CANCELLED)


def test_an_actor_whose_thread_ends_ends_too_so_that_ray_starts_it_again() -> None:
    ended = subprocess.run(
        (sys.executable, "-c", BROKEN), capture_output=True, text=True, timeout=WAIT_S
    )
    assert ended.returncode == 1
    assert "nobody foresaw this" in ended.stderr

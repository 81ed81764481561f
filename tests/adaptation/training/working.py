"""A trainer that is at work."""

from __future__ import annotations

import asyncio

from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.trainer import Recipe, TrainingJob, TrainingResult

LIGHT_WORKER = "tests.adaptation.training.light_worker"
LONG = Recipe(steps=1_000_000, min_loss=0.0, learning_rate=1e-6)


async def in_training(trainer: ProcessTrainer, job: TrainingJob) -> asyncio.Task[TrainingResult]:
    """A job that would go on for ever, caught after its first step."""
    stepping = asyncio.Event()
    work = asyncio.create_task(
        trainer.train(
            job.model_copy(update={"recipe": LONG}),
            300,
            on_step=lambda done, total, loss: stepping.set(),
        )
    )
    await stepping.wait()
    return work

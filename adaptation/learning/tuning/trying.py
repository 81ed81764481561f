"""One trial: train on a task with a recipe, and let the trained model answer its questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from adaptation.errors import TrainerError
from adaptation.learning.scratch import scratch
from adaptation.learning.training.trainer import GeneratingTrainer, Recipe, TrainingJob
from adaptation.learning.tuning.search import Trial
from adaptation.learning.tuning.task import Task, longest

TIMEOUT_S = 3_600.0
"""Time for one training, or for the answers to one task."""
AT_ONCE = 4
"""Trainings that are given to the trainer together."""
CHARS_A_TOKEN = 2
"""At least, in solutions: what is generated may be so long."""
MOST_REPLY = 2_048
"""Tokens of a reply, however long solutions are: as many as are learned of one."""
OnTrial = Callable[[Trial], None]


class Trying:
    """Tries recipes in a trainer, and tells of every trial as it ends."""

    def __init__(
        self,
        trainer: GeneratingTrainer,
        tasks: Sequence[Task],
        on_trial: OnTrial,
        known: Iterable[Trial] = (),
    ) -> None:
        """`known` are trials of an earlier run, which are not repeated."""
        self._trainer, self._on_trial = trainer, on_trial
        self._known = {(trial.recipe, trial.task): trial for trial in known}
        self._longest = longest_reply(tasks)
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def all(self, asked: Sequence[tuple[Recipe, Task]]) -> list[Trial]:
        """Try every recipe on its task."""
        return list(await asyncio.gather(*(self._one(*each) for each in asked)))

    async def untrained(self, task: Task) -> int:
        """Return how many questions of a task are answered without training."""
        return await self._right(task, None)

    async def _one(self, recipe: Recipe, task: Task) -> Trial:
        if (known := self._known.get((recipe, task.name))) is not None:
            return known
        async with self._turns:
            trial = await self._tried(recipe, task)
        self._on_trial(trial)
        return trial

    async def _tried(self, recipe: Recipe, task: Task) -> Trial:
        asked = len(task.questions)
        with scratch() as folder:
            job = TrainingJob(
                conversations=task.learned,
                holdout=task.held_out,
                recipe=recipe,
                output_dir=folder,
            )
            try:
                result = await self._trainer.train(job, TIMEOUT_S)
            except TrainerError as error:
                if "diverged" not in str(error):
                    raise
                return Trial(
                    recipe=recipe, task=task.name, right=0, asked=asked, steps=0, loss=None
                )
            right = await self._right(task, folder)
        loss = sum(result.holdout_after) / max(1, len(result.holdout_after))
        return Trial(
            recipe=recipe, task=task.name, right=right, asked=asked, steps=result.steps, loss=loss
        )

    async def _right(self, task: Task, adapter: str | None) -> int:
        prompts = [question.conversation for question in task.questions]
        replies = await self._trainer.generate(prompts, adapter, self._longest, TIMEOUT_S)
        return sum(q.is_right(reply) for q, reply in zip(task.questions, replies, strict=True))


def longest_reply(tasks: Iterable[Task]) -> int:
    """Tokens that may be generated in answer to a question of `tasks`."""
    return min(MOST_REPLY, longest([*tasks]) // CHARS_A_TOKEN + 32)

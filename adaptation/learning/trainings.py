"""The trainings under way: how many there are, what one costs, how long one more would wait.

The trainer works on several jobs at once, and does not say when it begins one. What counts is how
often one ends: while n are under way and one ends every c seconds, one more waits for n · c.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

from adaptation.errors import NoTurnError
from adaptation.fair_queue import FairQueue
from adaptation.fairness import FairShares
from adaptation.learning.training.trainer import Spent, Trainer, TrainingJob, TrainingResult
from adaptation.recent import Recent
from adaptation.rooms import FixedPlaces

MANY_STEPS = 8
"""A training of fewer is mostly preparation, and tells nothing of what a step takes."""
AT_ONCE = 16
"""Jobs with a trainer at a time: as many as train together on a CPU."""


class Trainings:
    """Passes jobs to the trainer, and keeps count."""

    def __init__(self, shares: FairShares | None = None, at_once: int = AT_ONCE) -> None:
        """`shares` says whose turn it is where more want to train than `at_once`."""
        self._queue = FairQueue(FixedPlaces(at_once), shares or FairShares(lambda tenant: 1.0))
        self._under_way: list[object] = []
        """Handed to the trainer and not yet answered, in that order."""
        self._took = Recent()
        self._steps = Recent()
        self._last_end = 0.0

    @property
    def typical_s(self) -> float:
        """What one training added lately to the trainer's work; 0 before the first.

        A mean: jobs that train together end together, and all but the first of them at no cost.
        """
        return self._took.mean_s

    @property
    def step_s(self) -> float:
        """What a step took lately, beside those that trained with it; 0 before the first.

        Whole trainings tell less of it: some end early, and some are cut short.
        """
        return self._steps.typical_s

    @property
    def is_idle(self) -> bool:
        """Whether nobody trains."""
        return not self._under_way

    @property
    def expected_wait_s(self) -> float:
        """How long one more would wait for those before it."""
        return len(self._under_way) * self.typical_s

    async def run(
        self,
        trainer: Trainer,
        job: TrainingJob,
        timeout_s: float,
        tenant: str = "",
        spent: Spent | None = None,
    ) -> TrainingResult:
        """Like `Trainer.train`, in the tenant's turn."""
        spent = spent or Spent()
        started, mine = time.monotonic(), object()
        self._under_way.append(mine)
        try:
            result = await self._in_turn(trainer, job, timeout_s, tenant, spent)
        except BaseException:
            # So much at least it would have taken: where no training ends, nobody waits for one.
            is_first = self._under_way[0] is mine
            if is_first and (so_far_s := self._since(started)) > self.typical_s:
                self._took.add(so_far_s)
            self._last_end = time.monotonic() if is_first else self._last_end
            raise
        else:
            self._took.add(self._since(started))
            self._last_end = time.monotonic()
            if result.steps >= MANY_STEPS:
                self._steps.add(result.seconds / result.steps)
            return result
        finally:
            self._under_way.remove(mine)

    async def _in_turn(
        self, trainer: Trainer, job: TrainingJob, timeout_s: float, tenant: str, spent: Spent
    ) -> TrainingResult:
        began = time.monotonic()
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(timeout_s):
                    holding = await stack.enter_async_context(self._queue.place(tenant))
            except TimeoutError as error:
                raise NoTurnError("its turn to train did not come in time") from error
            left_s = timeout_s - (time.monotonic() - began)
            try:
                return await trainer.train(job, left_s, None, spent)
            finally:
                holding.cost = spent.tokens

    def _since(self, given: float) -> float:
        """Since the job was given, or one before it ended: what that took is not its own."""
        return time.monotonic() - max(given, self._last_end)

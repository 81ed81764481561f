"""The trainings under way: how many there are, how long one takes, how long one more would wait.

The trainer works on one job at a time, and does not say when it begins one.
"""

from __future__ import annotations

import time

from adaptation.recent import Recent
from adaptation.training.trainer import Trainer, TrainingJob, TrainingResult


class Trainings:
    """Passes jobs to the trainer, and keeps count."""

    def __init__(self) -> None:
        self._under_way = 0
        """Handed to the trainer and not yet answered: one of them runs, the others wait."""
        self._took = Recent()
        self._last_end = 0.0

    @property
    def typical_s(self) -> float:
        """How long one training took lately, without its wait; 0 before the first."""
        return self._took.typical_s

    @property
    def expected_wait_s(self) -> float:
        """How long one more would wait for those before it."""
        return self._under_way * self.typical_s

    async def run(self, trainer: Trainer, job: TrainingJob, timeout_s: float) -> TrainingResult:
        """Like `Trainer.train`."""
        started = time.monotonic()
        self._under_way += 1
        try:
            result = await trainer.train(job, timeout_s)
        except BaseException:
            # So much at least it would have taken: where no training ends, nobody waits for one.
            if (so_far_s := self._since(started)) > self.typical_s:
                self._took.add(so_far_s)
            raise
        finally:
            self._under_way -= 1
        self._took.add(self._since(started))
        self._last_end = time.monotonic()
        return result

    def _since(self, given: float) -> float:
        """One at a time: a job began when it was given, or when the one before it ended."""
        return time.monotonic() - max(given, self._last_end)

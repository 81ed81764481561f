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
        self._under_way: list[object] = []
        """Handed to the trainer and not yet answered: the first runs, the others wait."""
        self._took = Recent()
        self._last_end = 0.0

    @property
    def typical_s(self) -> float:
        """How long one training took lately, without its wait; 0 before the first."""
        return self._took.typical_s

    @property
    def expected_wait_s(self) -> float:
        """How long one more would wait for those before it."""
        return len(self._under_way) * self.typical_s

    async def run(self, trainer: Trainer, job: TrainingJob, timeout_s: float) -> TrainingResult:
        """Like `Trainer.train`."""
        started, mine = time.monotonic(), object()
        self._under_way.append(mine)
        try:
            result = await trainer.train(job, timeout_s)
        except BaseException:
            # So much at least it would have taken: where no training ends, nobody waits for one.
            is_first = self._under_way[0] is mine
            if is_first and (so_far_s := self._since(started)) > self.typical_s:
                self._took.add(so_far_s)
            raise
        else:
            self._took.add(self._since(started))
            return result
        finally:
            if self._under_way[0] is mine:
                self._last_end = time.monotonic()
            self._under_way.remove(mine)

    def _since(self, given: float) -> float:
        """One at a time: a job began when it was given, or when the one before it ended."""
        return time.monotonic() - max(given, self._last_end)

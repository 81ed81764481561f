"""The trainings under way: how many there are, what one costs, how long one more would wait.

The trainer works on several jobs at once, and does not say when it begins one. What counts is how
often one ends: while n are under way and one ends every c seconds, one more waits for n · c.
"""

from __future__ import annotations

import time

from adaptation.learning.training.trainer import Trainer, TrainingJob, TrainingResult
from adaptation.recent import Recent


class Trainings:
    """Passes jobs to the trainer, and keeps count."""

    def __init__(self) -> None:
        self._under_way: list[object] = []
        """Handed to the trainer and not yet answered, in that order."""
        self._took = Recent()
        self._last_end = 0.0

    @property
    def typical_s(self) -> float:
        """What one training added lately to the trainer's work; 0 before the first.

        A mean: jobs that train together end together, and all but the first of them at no cost.
        """
        return self._took.mean_s

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
            self._last_end = time.monotonic() if is_first else self._last_end
            raise
        else:
            self._took.add(self._since(started))
            self._last_end = time.monotonic()
            return result
        finally:
            self._under_way.remove(mine)

    def _since(self, given: float) -> float:
        """Since the job was given, or one before it ended: what that took is not its own."""
        return time.monotonic() - max(given, self._last_end)

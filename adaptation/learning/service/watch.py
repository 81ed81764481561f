"""Looks at the held-out loss now and then, and remembers the last weights that did no harm."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from dataclasses import dataclass, field

from adaptation.errors import TrainerError
from adaptation.learning.service.adapter import Adapter
from adaptation.learning.service.asking import Ask, Losses, means
from adaptation.learning.training.sequences import TrainingExample

HOLDOUT_CHECKS = 4
"""Looks at the held-out loss during a job. Looking after every step ended jobs in the bump of the
first steps (22 % of whet-pebble's questions right instead of 50 %)."""
TOLERANCE_NATS = 0.03
"""A held-out loss this little above the lowest is no harm: of a few conversations it is noise, and
answers go on improving after the loss has stopped to fall (whet-pebble, README of its weights)."""
PATIENCE = 2
"""Looks in a row without a new best held-out loss that end the job."""
Looking = Generator[Ask, Losses, None]


@dataclass
class Descent:
    """How a descent went."""

    losses: list[float] = field(default_factory=list)
    steps: int = 0
    tokens: int = 0
    rows: int = 0
    """Tokens that were computed: what the examples of a batch share, once."""
    cut_short: bool = False
    """Whether the time ended it."""


class Watch:
    """The held-out conversations of one job."""

    def __init__(self, adapter: Adapter, holdout: list[TrainingExample], steps: int) -> None:
        self._adapter, self._holdout = adapter, holdout
        self._every = math.ceil(steps / HOLDOUT_CHECKS)
        self.before: tuple[float, ...] = ()
        self.best: tuple[float, ...] = ()
        self.best_step = 0
        self.look_s = 0.0
        """What a look takes."""
        self.after_s = 0.0
        """What is looked at elsewhere when the descent is over takes."""
        self._looked_at = 0
        self._lowest = 0.0
        self._weights = adapter.master.clone() if holdout else None
        self._worse = 0

    @property
    def rises(self) -> bool:
        """Whether the loss no longer falls."""
        return self._worse >= PATIENCE

    def begin(self) -> Looking:
        """Look for the first time."""
        if self._holdout:
            self.before = self.best = yield from self._losses()
            self._lowest = sum(self.best) / len(self.best)

    def after(self, step: int) -> Looking:
        """Look where it is time after `step`."""
        if step % self._every == 0:
            yield from self._look(step)

    def conclude(self, descent: Descent) -> Looking:
        """Return to the last weights whose held-out loss was near the lowest: perhaps the last.

        Whatever ended the descent, its end is looked at: no step is thrown away unseen.
        """
        yield from self._look(descent.steps)
        if self._weights is not None and self.best_step < descent.steps:
            self._adapter.restore(self._weights)
            descent.steps = self.best_step
            del descent.losses[self.best_step + 1 :]

    def _look(self, step: int) -> Looking:
        if self._weights is None or self._looked_at == step:
            return
        self._looked_at = step
        losses = yield from self._losses()
        mean = sum(losses) / len(losses)
        if mean <= self._lowest + TOLERANCE_NATS:
            self.best, self.best_step, self._worse = losses, step, 0
            self._weights.copy_(self._adapter.master)
        else:
            self._worse += 1
        self._lowest = min(self._lowest, mean)

    def _losses(self) -> Generator[Ask, Losses, tuple[float, ...]]:
        began = time.perf_counter()
        losses = means((yield Ask(self._adapter, self._holdout, learns=False)))
        self.look_s = time.perf_counter() - began
        return tuple(finite(loss) for loss in losses)


def finite(loss: float) -> float:
    """Return `loss`; raises `TrainerError` where it is not a number."""
    if not math.isfinite(loss):
        raise TrainerError(f"training diverged: the loss is {loss}")
    return loss

"""How long a thing took lately: what the next wait is estimated from."""

from __future__ import annotations

from collections import deque
from statistics import mean, median

REMEMBERED = 8
"""Few, so that an estimate follows the load up and down."""


class Recent:
    """The last few durations of one kind of work."""

    def __init__(self) -> None:
        self._durations_s: deque[float] = deque(maxlen=REMEMBERED)

    def add(self, seconds: float) -> None:
        """Note how long the work took."""
        self._durations_s.append(seconds)

    @property
    def typical_s(self) -> float:
        """The median, which one slow start does not move; 0 where nothing is known yet."""
        return median(self._durations_s) if self._durations_s else 0.0

    @property
    def mean_s(self) -> float:
        """The mean, where ends come in bursts and most of the durations are 0; 0 at first."""
        return mean(self._durations_s) if self._durations_s else 0.0

"""A token bucket: so many a minute, with at most a minute's worth at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

MINUTE_S = 60.0


class Bucket:
    """Fills evenly. What was taken beyond its content, as costs are known late, is owed."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._content = float(per_minute)
        self._at = clock()

    @property
    def content(self) -> float:
        """What may be taken now; below 0 where more was taken than there was."""
        return self._filled()

    @property
    def size(self) -> float:
        """What it holds when it is full."""
        return float(self.per_minute)

    @property
    def remaining(self) -> int:
        """What may be taken now, in whole units."""
        return max(0, math.floor(self.content))

    def least(self, share: float) -> int:
        """Return what has to be there for whoever may use that `share` of it only."""
        return int(min(self.size, 1 + int(self.size * (1 - share))))

    def has(self, units: float) -> bool:
        """Whether as much may be taken now."""
        return self.content >= units

    def take(self, units: float) -> None:
        """Take, whether there is as much or not."""
        self._content = self._filled() - units

    def wait_s(self, units: float) -> float:
        """Return after how many seconds there will be as much."""
        return max(0.0, units - self.content) * MINUTE_S / self.size

    @property
    def full_in_s(self) -> float:
        """Seconds until nothing of it is missing."""
        return self.wait_s(self.size)

    def _filled(self) -> float:
        now = self._clock()
        filled = self._content + (now - self._at) * self.per_minute / MINUTE_S
        self._content, self._at = min(float(self.per_minute), filled), now
        return self._content

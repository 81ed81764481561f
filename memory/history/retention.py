"""How old a completion or a stored response may grow, by a clock that may be wrong.

What is deleted by a clock that runs ahead does not come back when it is set right. So a jump of the
wall clock is believed after a day, and so is a clock that calls most of them too old: one that
was wrong when the server started looks no different from a server that was off for a month.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

HOUR_S = 3_600.0
JUMP_S = 3_600.0
"""What clocks drift apart, and are set right by, without anybody noticing."""
CONFIRM_S = 86_400.0
"""How long a surprising clock has to stand before it is believed."""
MOST = 0.5
"""Share that is deleted at once without a doubt."""


def uptime_s() -> float:
    """Return seconds of a clock that nobody sets; where there is such, sleep counts too."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Hourly:
    """Does something once an hour, when it is looked at; what goes wrong costs nobody anything."""

    def __init__(self, what: str, work: Callable[[], object]) -> None:
        self._what, self._work = what, work
        self._next = time.monotonic()

    def look(self) -> None:
        """Do it where it is time."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + HOUR_S
        try:
            self._work()
        except Exception:  # whoever looks has ended what it came for: the next hour tries again
            log.exception("%s stay for now", self._what)


class Retention:
    """Tells what is too old, and whether to believe it."""

    def __init__(
        self,
        days: float,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = uptime_s,
    ) -> None:
        self._kept_s = days * 86_400
        self._wall = wall
        self._steady = steady
        self._ahead_s = wall() - steady()
        """How far the wall clock is ahead of the steady one, as it is believed."""
        self._jumped_at: float | None = None
        self._doubted_at: float | None = None

    def cutoff(self) -> float:
        """Return the Unix time before which everything is too old."""
        wall, steady = self._wall(), self._steady()
        if abs(wall - steady - self._ahead_s) <= JUMP_S:
            self._jumped_at = None
        elif self._jumped_at is None:
            log.warning("the clock has jumped: for a day, the time before tells what is too old")
            self._jumped_at = steady
        elif steady - self._jumped_at >= CONFIRM_S:
            self._ahead_s, self._jumped_at = wall - steady, None
        return min(wall, steady + self._ahead_s) - self._kept_s

    def allows(self, old: int, total: int) -> bool:
        """Whether to delete `old` of `total`."""
        if old <= MOST * total:
            self._doubted_at = None
            return True
        if self._doubted_at is None:
            words = "%d of %d seem too old: they are kept for a day, check the clock"
            log.warning(words, old, total)
            self._doubted_at = self._steady()
        return self._steady() - self._doubted_at >= CONFIRM_S

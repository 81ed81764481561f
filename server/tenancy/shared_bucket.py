"""What one server of several knows of a token bucket, and what it may take of it.

The bucket itself is in the database (`memory.quota_claims`). While that is away, each server goes
on with its share of the rate.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from server.tenancy.buckets import Bucket

PART = 16
"""A server takes this part of a limit in advance, at most."""


@dataclass
class Company:
    """The servers that share limits."""

    servers: int = 1
    is_away: bool = False
    """Whether the database is: then each server counts alone."""

    def share(self, most: int) -> float:
        """Return the part of a limit that is this server's, one unit at least: all of it while the
        servers count together."""
        return min(1.0, max(1 / self.servers, 1 / most)) if self.is_away else 1.0


class SharedBucket(Bucket):
    """A view of the bucket, as the database told it last, and leave that was taken in advance."""

    def __init__(
        self,
        per_minute: int,
        company: Company,
        clock: Callable[[], float] = time.monotonic,
        *,
        in_advance: bool,
    ) -> None:
        """What is taken `in_advance` is counted before it is used, everything else afterwards."""
        super().__init__(per_minute, clock)
        self._company, self._in_advance = company, in_advance
        self.held = 0
        """Leave: taken out of the bucket, and not used."""
        self.owed = 0.0
        """Used without leave, and not told."""
        self._told, self._returned = 0.0, 0
        self._taken = self._taken_before = 0.0

    @property
    def content(self) -> float:
        """What may be taken now of all there is; while the servers count alone, of our share."""
        return min(self.size, self._filled() * self._share + self.held)

    @property
    def size(self) -> float:
        """What it holds when it is full."""
        return self.per_minute * self._share

    @property
    def _share(self) -> float:
        return self._company.share(self.per_minute)

    def has(self, units: float) -> bool:
        """Whether as much may be taken now: with leave, where the servers count together."""
        is_free = not self._in_advance or self._company.is_away
        return super().has(units) and (is_free or self.held >= 1)

    def lacks(self, coming: int) -> bool:
        """Whether to ask for leave for so many, as there should be some."""
        return self._in_advance and self.held < coming and self._filled() >= 1

    def take(self, units: float) -> None:
        """Take: what there is leave for, then what there is not."""
        with_leave = min(self.held, units)
        self.held -= int(with_leave)
        self.owed += units - with_leave
        self._taken += units
        super().take((units - with_leave) / self._share)

    def beat(self) -> None:
        """Note that a second has passed: leave is taken in advance for as many as came in one."""
        self._taken_before, self._taken = self._taken, 0.0

    def claim(self, waiting: int) -> tuple[int, int]:
        """Return what was used without leave, less what is given back, and how much more is
        wanted for those that wait and those to come.
        """
        ahead = int(min(self.per_minute // PART, max(self._taken, self._taken_before)))
        wanted = (waiting + ahead if self._in_advance else 0) - self.held
        self._told, self._returned = self.owed, max(0, -wanted)
        self.held -= self._returned
        return int(self._told) - self._returned, max(0, wanted)

    def settle(self, given: int, left: float) -> None:
        """Note the answer: leave that was given, and what is left for whoever asks next."""
        self.held += given
        self.owed -= self._told
        super().take(self._filled() - left + self.owed)

    def keep(self) -> None:
        """Note that a claim was not counted."""
        self.held += self._returned

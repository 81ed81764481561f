"""A few places, given to tenants in fair turns."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from adaptation.fairness import FairShares


@dataclass
class Holding:
    """A place, for as long as it is held."""

    cost: int = 0
    """What was used of what the shares are of; told before the place is left."""


@dataclass(order=True)
class _Waiter:
    priority: int
    number: int
    place: asyncio.Future[None] = field(compare=False)


class FairQueue:
    """Gives the next place by turns (`FairShares`), and one tenant's own in their order."""

    def __init__(self, places: int, shares: FairShares) -> None:
        self._free, self._shares = places, shares
        self._waiting: list[_Waiter] = []
        self._numbers = count()

    @asynccontextmanager
    async def place(self, tenant: str) -> AsyncIterator[Holding]:
        """Wait for a place, and hold it for the length of the block."""
        turn, holding = self._shares.begin(tenant), Holding()
        try:
            await self._taken(turn.priority)
            try:
                self._shares.served(turn)
                yield holding
            finally:
                self._leave()
        finally:
            self._shares.end(turn, holding.cost)

    async def _taken(self, priority: int) -> None:
        """Wait until a place is this one's."""
        if self._free and not self._waiting:
            self._free -= 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, _Waiter(priority, next(self._numbers), place))
        try:
            await place
        except BaseException:
            if place.done() and not place.cancelled():  # it was given while its waiter gave up
                self._leave()
            raise

    def _leave(self) -> None:
        """Give a place to the next in turn."""
        while self._waiting:
            waiter = heapq.heappop(self._waiting)
            if not waiter.place.done():
                waiter.place.set_result(None)
                return
        self._free += 1

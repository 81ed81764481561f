"""Places, given to tenants in fair turns."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from adaptation.fairness import FairShares, Turn
from adaptation.rooms import Room


@dataclass
class Holding:
    """Places, for as long as they are held."""

    turn: Turn
    leave: Callable[[], None]
    """Gives the places back before the block ends; a second time it does nothing."""
    cost: int = 0
    """What was used of what the shares are of; told before the block ends."""


@dataclass(order=True)
class _Waiter:
    start: float
    number: int
    tenant: str = field(compare=False)
    size: int = field(compare=False)
    place: asyncio.Future[None] = field(compare=False)


class FairQueue:
    """Gives the next place by turns (`FairShares`), and one tenant's own in their order."""

    def __init__(self, room: Room, shares: FairShares) -> None:
        """`room` says who may enter, `shares` who does so first."""
        self._room, self._shares = room, shares
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[_Waiter]] = {}
        self._numbers = count()
        self._closed: Callable[[], Exception] | None = None

    @asynccontextmanager
    async def place(self, tenant: str, size: int = 1) -> AsyncIterator[Holding]:
        """Wait for `size` places, and hold them for the length of the block.

        Raises what `close` was given, where nobody comes in any more.
        """
        turn = self._shares.begin(tenant, size)
        holding = Holding(turn, self._leaving(tenant, size))
        try:
            await self._taken(turn, size)
            try:
                self._shares.served(turn)
                yield holding
            finally:
                holding.leave()
        finally:
            self._shares.end(turn, holding.cost, size)

    def close(self, error: Callable[[], Exception]) -> None:
        """Have an `error` raised for everybody who waits or comes; who is inside stays."""
        self._closed = error
        waiting, self._waiting = self._waiting, {}
        for waiter in (each for waiters in waiting.values() for each in waiters):
            if not waiter.place.done():
                waiter.place.set_exception(error())

    async def _taken(self, turn: Turn, size: int) -> None:
        """Wait until the places are this one's."""
        if self._closed is not None:
            raise self._closed()
        self._room.seen(turn.tenant)
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(turn.start, next(self._numbers), turn.tenant, size, place)
        self._waiting.setdefault(turn.tenant, deque()).append(waiter)
        self._let_in()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self._leave(turn.tenant, size)  # it was given while its waiter gave up
            raise

    def _leaving(self, tenant: str, size: int) -> Callable[[], None]:
        has_left = False

        def leave() -> None:
            nonlocal has_left
            if not has_left:
                has_left = True
                self._leave(tenant, size)

        return leave

    def _leave(self, tenant: str, size: int) -> None:
        self._room.seen(tenant)
        self._held[tenant] -= size
        if not self._held[tenant]:
            del self._held[tenant]
        self._let_in()

    def _let_in(self) -> None:
        """Give places to the next in turn, as long as there is room for one."""
        while fitting := [
            each for each in self._heads() if self._room.fits(each.tenant, self._held)
        ]:
            waiter = min(fitting)
            self._waiting[waiter.tenant].popleft()
            self._held[waiter.tenant] += waiter.size
            waiter.place.set_result(None)

    def _heads(self) -> Iterator[_Waiter]:
        """Yield each tenant's first; who gave up is forgotten on coming to be the first."""
        for tenant, waiters in list(self._waiting.items()):
            while waiters and waiters[0].place.done():
                waiters.popleft()
            if waiters:
                yield waiters[0]
            else:
                del self._waiting[tenant]

"""One training at a time of the same neighbours: who waits for it takes what came of it.

What came of it is an adapter, which `AdapterCache` keeps, or a refusal, which is kept here: the
same neighbours would be refused again, after as long a training.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

MOST_REFUSALS = 10_000
"""Remembered; the oldest go first. A restart forgets them all."""


class SingleFlight:
    """Whose turn it is to train on a neighbourhood, and which ones led to nothing."""

    def __init__(self, most_refusals: int = MOST_REFUSALS) -> None:
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._most_refusals = most_refusals
        self._refusals: OrderedDict[str, str] = OrderedDict()

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """Hold the only turn of a neighbourhood, to train or to load, for the block.

        One that ends early passes it on.
        """
        lock = self._turns.setdefault(key, asyncio.Lock())
        async with lock:
            yield

    def refusal(self, key: str) -> str | None:
        """Why an earlier training of the neighbourhood left no adapter, where one did not."""
        return self._refusals.get(key)

    def refuse(self, key: str, reason: str) -> None:
        """Remember that a whole training of the neighbourhood left no adapter, and why."""
        self._refusals[key] = reason
        while len(self._refusals) > self._most_refusals:
            self._refusals.popitem(last=False)

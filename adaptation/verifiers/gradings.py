"""The gradings under way that run programs: how many there are, and whose turn it is.

Each takes two sandboxes with up to 512 MiB a process, for as long as its verifier allows, and a
vote has one for every answer. So they take places, given to tenants in fair turns by the seconds
that each has used of them.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adaptation.fair_queue import FairQueue
from adaptation.fairness import FairShares
from adaptation.rooms import FixedPlaces
from adaptation.verifiers.base import Verifier

PLACES = 4
"""Gradings at a time."""


class Gradings:
    """Gives places to verifiers that run programs; others need none."""

    def __init__(self, places: int = PLACES, shares: FairShares | None = None) -> None:
        self._queue = FairQueue(FixedPlaces(places), shares or FairShares(lambda tenant: 1.0))

    @asynccontextmanager
    async def place(self, tenant: str, verifier: Verifier) -> AsyncIterator[None]:
        """Wait for a place of `tenant`'s where `verifier` needs one, and hold it for the block."""
        if not verifier.runs_programs:
            yield
            return
        async with self._queue.place(tenant) as holding:
            began = time.monotonic()
            try:
                yield
            finally:
                holding.cost = 1 + int(1000 * (time.monotonic() - began))  # milliseconds

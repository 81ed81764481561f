"""How much of requests' bodies is in memory: bounded for each tenant, and for all of them.

A body is there before its request has a place, so that the number of places bounds nothing of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from server.refusals.errors import ApiError

SHARE = 0.5
"""Of all room, what one tenant may take: others find some whatever it sends."""
Take = Callable[[int], None]


class BodyRoom:
    """Gives room to bodies, byte by byte as they come."""

    def __init__(self, most_bytes: int, largest_bytes: int) -> None:
        """There is room for a body of `largest_bytes`, however small `most_bytes` is."""
        self._most_of_one = max(int(most_bytes * SHARE), largest_bytes)
        self._most = max(most_bytes, self._most_of_one)
        self._held: Counter[str] = Counter()

    @contextmanager
    def of(self, tenant: str) -> Iterator[Take]:
        """Yield what takes room for more bytes; it raises `ApiError`. The block's end frees all."""
        taken = 0

        def take(more: int) -> None:
            nonlocal taken
            self._refuse_full(tenant, more)
            self._held[tenant] += more
            taken += more

        try:
            yield take
        finally:
            self._held[tenant] -= taken
            if not self._held[tenant]:
                del self._held[tenant]

    def _refuse_full(self, tenant: str, more: int) -> None:
        if self._held[tenant] + more > self._most_of_one:
            what = f"bodies of this tenant's requests have {self._most_of_one} bytes, their most"
            raise ApiError(429, f"{what} at a time (max_bodies_bytes); try again in a moment")
        if self._held.total() + more > self._most:
            what = f"bodies of requests have {self._most} bytes, the most that the server holds"
            raise ApiError(503, f"{what} (max_bodies_bytes); try again in a moment")

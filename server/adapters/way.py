"""Who gives a place up to those who wait, where everybody has something to do all the time.

A place that is never idle would never be given up. So whoever waits for `PATIENCE_S` has the one
with a place for longest take no new requests; those that it has go on to their end, and its next
ones wait in turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Generic, TypeVar

W = TypeVar("W", bound=str | tuple[str, ...])
"""Who waits for a place, or has one."""

PATIENCE_S = 1.0
"""For a place that comes free by itself."""
HELD_S = 5.0
"""The least that one stays in its place, however many wait."""


class Way(Generic[W]):
    """Knows who waits for a place, and who makes way."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: dict[W, float] = {}
        self._making: set[W] = set()

    def is_made_by(self, tenant: W) -> bool:
        """Whether a tenant with a place begins nothing new in it."""
        return tenant in self._making

    @contextmanager
    def waited_for(self, tenant: W) -> Iterator[None]:
        """Note that a tenant waits for a place; where nobody does any more, nobody makes way."""
        self._waiting[tenant] = self._clock()
        try:
            yield
        finally:
            del self._waiting[tenant]
            if not self._waiting.keys() - self._making:
                self._making.clear()

    def ask(self, since: Mapping[W, float]) -> None:
        """Have as many make way as wait for long; `since` is when each with a place got it."""
        now = self._clock()
        self._making &= since.keys()
        impatient = [
            tenant
            for tenant, began in self._waiting.items()
            if now - began >= PATIENCE_S and tenant not in since
        ]
        able = [
            tenant
            for tenant, began in since.items()
            if now - began >= HELD_S and tenant not in self._making
        ]
        missing = len(impatient) - len(self._making)
        self._making.update(sorted(able, key=since.__getitem__)[: max(missing, 0)])

    def left(self, tenant: W) -> None:
        """Note that a tenant has given its place up."""
        self._making.discard(tenant)

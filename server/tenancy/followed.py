"""A small table that every request needs: kept in memory, and read again when it has changed."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from memory.errors import WhetMemoryError
from memory.threads import Threads

logger = logging.getLogger(__name__)

AGE_S = 1.0
"""What another process changes is seen after so long, and the time of one look."""
T = TypeVar("T")


class Followed(Generic[T]):
    """The value that `read` returned last; no request waits for the next one."""

    def __init__(
        self, what: str, revision: Callable[[], int], read: Callable[[], T], threads: Threads
    ) -> None:
        """`revision` returns another number after every change; `what` names the table."""
        self._what, self._revision_of, self._read = what, revision, read
        self._threads = threads
        self._value: T | None = None
        self._revision: int | None = None
        self._looked_at = -math.inf
        self._mark = object()
        """A new object whenever the table is changed here."""
        self._looking: asyncio.Task[None] | None = None

    async def value(self, *, must_wait: bool = False) -> T:
        """Return what is known, and look whether it has changed: beside the request, unless it
        `must_wait`. Looks are `AGE_S` apart.

        Raises `WhetMemoryError` where it was never read.
        """
        if self._age_s >= AGE_S:
            look = self._look_under_way()
            if must_wait:
                await asyncio.shield(look)
        while self._age_s == math.inf:  # a look that had begun before `forget` does not count
            await asyncio.shield(self._look_under_way())
        assert self._value is not None
        return self._value

    def forget(self) -> None:
        """Have the next request wait for a look: the table was changed here."""
        self._mark, self._looked_at = object(), -math.inf

    @property
    def _age_s(self) -> float:
        return time.monotonic() - self._looked_at

    def _look_under_way(self) -> asyncio.Task[None]:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return self._looking

    async def close(self) -> None:
        """Wait for the look that is under way."""
        if self._looking is not None:
            await asyncio.wait([self._looking])

    async def _look(self) -> None:
        """Read what has changed; while the database cannot be read, what was read last holds."""
        begun, mark = time.monotonic(), self._mark
        try:
            revision = await self._threads.run(self._revision_of)
            if revision != self._revision:
                self._value, self._revision = await self._threads.run(self._read), revision
        except WhetMemoryError as error:
            if self._revision is None:
                raise
            logger.warning("%s are those read before: %s", self._what, error)
        if mark is self._mark:
            self._looked_at = begun

"""Work that may outlive the request that began it: bounded, tracked, and awaited at the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

logger = logging.getLogger(__name__)
T = TypeVar("T")

MOST = 256
"""Pieces of work that may wait at once: beyond it the storage is not keeping up."""
SETTLE_S = 20.0
"""What the end of a server waits for it: longer than the database waits for its lock."""


class Background:
    """Tasks nobody else holds."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def is_full(self) -> bool:
        """Whether no more can be begun."""
        return len(self._tasks) >= self._most

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin `work`, which goes on whether or not anybody waits for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("work in the background failed: %r", error)

    async def settle(self, timeout_s: float = SETTLE_S) -> bool:
        """Wait for what is under way; False, and a line in the log, where some of it is left."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)
        if self._tasks:
            logger.error("answers not saved, as the database did not answer: %d", len(self._tasks))
        return not self._tasks

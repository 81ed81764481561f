"""Notes that requests leave for those of the same task that follow, beside the event loop.

They are a help and no more: a storage that is slow or away leaves a request without them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from adaptation.background import Background
from adaptation.types import Query
from adaptation.voting.rules import patience
from memory.errors import StorageUnavailableError
from memory.memory import LongTermMemory

logger = logging.getLogger(__name__)


class ShortTermMemory:
    """What a task's tries that failed have taught, as `memory.history.notes` keeps it."""

    def __init__(self, memory: LongTermMemory, background: Background) -> None:
        self._memory, self._background = memory, background

    async def notes(self, query: Query) -> tuple[str, ...]:
        """Return the latest notes of the request's task; a request without a task has none."""
        wanted = query.options.memory
        if not (wanted.read and wanted.task):
            return ()
        read = partial(self._memory.notes.of, query.tenant, wanted.task)
        try:
            async with asyncio.timeout(patience(query)):
                found: tuple[str, ...] = await self._memory.aside.read(read)
                return found
        except (TimeoutError, StorageUnavailableError) as error:
            logger.info("notes were not read: %s", error or "no reply in time")
            return ()

    async def note(self, query: Query, notes: Sequence[str]) -> None:
        """Keep notes; who does not wait for that any longer leaves them to be written."""
        wanted = query.options.memory
        if not (wanted.write and wanted.task and notes) or self._background.is_full:
            return
        writing = self._background.start(self._written(query, wanted.task, notes))
        await asyncio.wait([writing], timeout=patience(query))

    async def _written(self, query: Query, task: str, notes: Sequence[str]) -> None:
        add = self._memory.notes.add
        try:
            await self._memory.aside.writing.run(add, query.tenant, task, query.question, notes)
        except StorageUnavailableError as error:
            logger.warning("notes were not kept: %s", error)

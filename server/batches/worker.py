"""Works on the batches of all tenants, and clears away those that have ended long ago."""

from __future__ import annotations

import asyncio
import time

from memory.memory import LongTermMemory
from memory.offline.batch import Batch
from server.batches.patience import Post
from server.batches.work import Work
from server.tenant_work import SWEEP_S, TenantWork

KEPT_S = 30 * 86_400.0
"""How long a batch that has ended is shown."""


class BatchWorker(TenantWork[Batch]):
    """Looks after batches until it is cancelled."""

    def __init__(
        self,
        memory: LongTermMemory,
        post: Post,
        news: asyncio.Event,
        at_once: int,
        most_bytes: int,
    ) -> None:
        """`news` is set when a batch was made or cancelled.

        `at_once` bounds a batch's requests at work, `most_bytes` a line of its input.
        """
        super().__init__("batches", memory.batches, memory.aside.writing, news)
        self._memory, self._post, self._at_once = memory, post, at_once
        self._most_bytes = most_bytes
        self._tidy_at = 0.0

    def begin(self, found: Batch, holder: str) -> Work:
        """See `TenantWork.begin`."""
        return Work(self._memory, self._post, holder, found, self._at_once, self._most_bytes)

    async def tidy(self) -> None:
        """Drop files that have expired, and old batches."""
        if time.monotonic() < self._tidy_at:
            return
        self._tidy_at = time.monotonic() + SWEEP_S
        writing = self._memory.aside.writing
        await writing.run(self._memory.files.drop_expired)
        await writing.run(self._memory.batches.drop_ended, time.time() - KEPT_S)

"""Works on the batches of all tenants, a few at a time.

A batch is held while it is worked on (`memory.batches`), so that of several servers one does so. Of
each tenant one batch is worked on at a time, its oldest.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from functools import partial
from uuid import uuid4

from memory.errors import WhetMemoryError
from memory.memory import LongTermMemory
from server.batches.patience import Post
from server.batches.work import Work
from server.waiting import set_within

logger = logging.getLogger(__name__)

TENANTS = 4
"""Worked for at a time."""
SWEEP_S = 30.0
"""Between looks for batches and files that nobody has told of: of other processes, or expired."""
KEPT_S = 30 * 86_400.0
"""How long a batch that has ended is shown."""


class BatchWorker:
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
        self._memory, self._batches, self._most_bytes = memory, memory.batches, most_bytes
        self._post, self._news, self._at_once = post, news, at_once
        self._name = f"worker-{uuid4().hex[:12]}"
        self._at_work: dict[str, Work] = {}
        self._sweep_at = 0.0

    async def follow(self) -> None:
        """Work; whoever ends this has others go on with what was begun."""
        try:
            while True:
                self._news.clear()
                try:
                    await self._begin_all()
                except WhetMemoryError as error:
                    logger.warning("batches cannot be read: %s", error)
                except Exception:  # nobody awaits this: it must not die
                    logger.exception("batches could not be read or started; it is tried again")
                await set_within(self._news, SWEEP_S)
        finally:
            for work in self._at_work.values():
                work.task.cancel()
            tasks = [work.task for work in self._at_work.values()]
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(WhetMemoryError):
                await self._memory.aside.writing.run(self._batches.let_go, self._name)

    async def _begin_all(self) -> None:
        for work in self._at_work.values():
            work.look.set()
        writing = self._memory.aside.writing
        if time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + SWEEP_S
            await writing.run(self._memory.files.drop_expired)
            await writing.run(self._batches.drop_ended, time.time() - KEPT_S)
        while len(self._at_work) < TENANTS:
            batch = await writing.run(self._batches.claim, self._name, list(self._at_work))
            if batch is None:
                return
            work = Work(
                self._memory, self._post, self._name, batch, self._at_once, self._most_bytes
            )
            self._at_work[batch.tenant] = work
            work.task.add_done_callback(partial(self._ended, batch.tenant))

    def _ended(self, tenant: str, task: asyncio.Task[None]) -> None:
        del self._at_work[tenant]
        self._news.set()  # its next

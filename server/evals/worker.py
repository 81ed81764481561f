"""Works on the evaluation runs of all tenants, a few at a time.

A run is held while it is worked on (`memory.eval_runs`), so that of several servers one does so. Of
each tenant one run is worked on at a time, its oldest.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from uuid import uuid4

from memory.errors import WhetMemoryError
from memory.memory import LongTermMemory
from server.batches.patience import Post
from server.evals.asking import Door
from server.evals.work import RunWork
from server.waiting import set_within

logger = logging.getLogger(__name__)

TENANTS = 4
"""Worked for at a time."""
SWEEP_S = 30.0
"""Between looks for runs that nobody has told of: of other processes."""


class EvalWorker:
    """Looks after runs until it is cancelled."""

    def __init__(
        self,
        memory: LongTermMemory,
        post: Post,
        news: asyncio.Event,
        at_once: int,
        most_bytes: int,
        embedder: str,
    ) -> None:
        """`news` is set when a run was made, cancelled or deleted.

        `at_once` bounds a run's items at work, `most_bytes` a line of its source; `embedder` is
        the name under which embeddings are served.
        """
        self._memory, self._runs, self._post = memory, memory.eval_runs, post
        self._news, self._at_once, self._most_bytes = news, at_once, most_bytes
        self._embedder = embedder
        self._name = f"worker-{uuid4().hex[:12]}"
        self._at_work: dict[str, RunWork] = {}

    async def follow(self) -> None:
        """Work; whoever ends this has others go on with what was begun."""
        try:
            while True:
                self._news.clear()
                try:
                    await self._begin_all()
                except WhetMemoryError as error:
                    logger.warning("evaluation runs cannot be read: %s", error)
                except Exception:  # nobody awaits this: it must not die
                    logger.exception("runs could not be read or started; it is tried again")
                await set_within(self._news, SWEEP_S)
        finally:
            tasks = [work.task for work in self._at_work.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(WhetMemoryError):
                await self._memory.aside.writing.run(self._runs.let_go, self._name)

    async def _begin_all(self) -> None:
        for work in self._at_work.values():
            work.look.set()
        writing = self._memory.aside.writing
        while len(self._at_work) < TENANTS:
            run = await writing.run(self._runs.claim, self._name, list(self._at_work))
            if run is None:
                return
            door = Door(self._post, run.tenant, self._embedder)
            work = RunWork(self._memory, door, self._name, run, self._at_once, self._most_bytes)
            self._at_work[run.tenant] = work
            work.task.add_done_callback(partial(self._ended, run.tenant))

    def _ended(self, tenant: str, task: asyncio.Task[None]) -> None:
        del self._at_work[tenant]
        self._news.set()  # its next

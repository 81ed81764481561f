"""The memory for an event loop: each call runs on threads kept for its kind.

One pool for everything would let whatever waits longest starve the rest: savers behind a locked
database, a backfill, a long import. Here a slow kind fills its own few threads and no others'.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from memory.types import Draft, Neighbour, Saved

if TYPE_CHECKING:
    from memory.memory import LongTermMemory

T = TypeVar("T")
P = ParamSpec("P")

READERS = 8
WRITERS = 16
"""Savers that wait together share one commit."""
EMBEDDERS = 2
SERVERS = 2
IMPORTERS = 2


class Threads:
    """A few threads for one kind of work."""

    def __init__(self, name: str, size: int) -> None:
        # Never shut down: idle threads end with their executor, and a busy one must not be cut off.
        self._pool = ThreadPoolExecutor(size, name)

    async def run(self, work: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Return what `work` returns; whoever stops waiting leaves a call that has begun to end."""
        call = partial(work, *arguments, **keywords)
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)


class Aside:
    """What a request asks of the memory, beside the event loop."""

    def __init__(self, memory: LongTermMemory) -> None:
        self._memory = memory
        self.reading = Threads("memory-reading", READERS)
        self.writing = Threads("memory-writing", WRITERS)
        self.embedding = Threads("memory-embedding", EMBEDDERS)
        self.serving = Threads("memory-serving", SERVERS)
        """Embeddings that clients ask for: as many as they like, and no recall behind them."""
        self.importing = Threads("memory-importing", IMPORTERS)

    async def recall(
        self, tenant: str, question: str, *, k: int, task: str | None
    ) -> list[Neighbour]:
        """See `LongTermMemory.recall`."""
        vector = await self.embedding.run(self._memory.vector_of, question)
        near = partial(self._memory.near, tenant, vector, k=k, task=task, question=question)
        return await self.reading.run(near)

    async def save(self, draft: Draft) -> Saved:
        """See `LongTermMemory.save`."""
        (vector,) = await self.embedding.run(self._memory.embed, [draft])
        return await self.writing.run(self._memory.store, draft, vector)

    async def credit(self, tenant: str, record_ids: Sequence[str], *, won: bool) -> None:
        """See `LongTermMemory.credit`."""
        await self.writing.run(self._memory.credit, tenant, record_ids, won)

    async def read(self, work: Callable[[], Any]) -> Any:
        """Return what `work`, which reads the database, returns."""
        return await self.reading.run(work)

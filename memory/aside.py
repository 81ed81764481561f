"""The memory for an event loop: each call runs on threads kept for its kind.

One pool for everything would let whatever waits longest starve the rest: savers behind a locked
database, a backfill, a long import. Here a slow kind fills its own few threads and no others'.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from memory.embedding.embedding_queue import EmbeddingQueue
from memory.threads import Threads
from memory.types import Draft, Neighbour, Saved, question_of

if TYPE_CHECKING:
    from memory.memory import LongTermMemory

READERS = 8
WRITERS = 16
"""Savers that wait together share one commit."""
COUNTERS = 2
IMPORTERS = 2


class Aside:
    """What a request asks of the memory, beside the event loop."""

    def __init__(self, memory: LongTermMemory) -> None:
        self._memory = memory
        self.reading = Threads("memory-reading", READERS)
        self.writing = Threads("memory-writing", WRITERS)
        self.embedding = EmbeddingQueue(memory.embedder)
        self.counting = Threads("memory-counting", COUNTERS)
        """Tokens of texts that clients want embedded."""
        self.importing = Threads("memory-importing", IMPORTERS)

    async def recall(
        self, tenant: str, question: str, *, k: int, task: str | None
    ) -> list[Neighbour]:
        """See `LongTermMemory.recall`."""
        (found,) = await self.embedding.embedded(tenant, [question])
        vector = self._memory.questions.readable(found)
        near = partial(self._memory.near, tenant, vector, k=k, task=task, question=question)
        return await self.reading.run(near)

    async def save(self, draft: Draft) -> Saved:
        """See `LongTermMemory.save`."""
        question = question_of(draft.messages)
        (found,) = await self.embedding.embedded(draft.tenant, [question])
        return await self.writing.run(self._memory.store, draft, found.vector)

    async def credit(self, tenant: str, record_ids: Sequence[str], *, won: bool) -> None:
        """See `LongTermMemory.credit`."""
        await self.writing.run(self._memory.credit, tenant, record_ids, won)

    async def read(self, work: Callable[[], Any]) -> Any:
        """Return what `work`, which reads the database, returns."""
        return await self.reading.run(work)

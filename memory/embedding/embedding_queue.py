"""Texts that wait for the embedder: several at once, and those who ask in turns.

A model computes eight short texts in about the time of three single ones, and one batch at a time
whoever asks. So what has come meanwhile is one batch, taken round robin: who asks for thousands of
vectors is served as often as who asks for one, and no more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from memory.embedding.embedder import Embedder
from memory.threads import Threads

BATCH = 8
"""Texts computed at once: more gain little, and whoever comes next waits for all of them."""


@dataclass(frozen=True)
class Embedded:
    """A text as the embedder sees it."""

    vector: np.ndarray
    """Unit length, float32, shape (d,)."""
    unknown_share: float
    """Share of its tokens that the embedder does not know; see `Embedder.unknown_share`. 0 of a
    rough one: nobody looks for neighbours of it."""


@dataclass(frozen=True)
class _Waiter:
    text: str
    place: asyncio.Future[Embedded]
    is_rough: bool


class EmbeddingQueue:
    """Computes on one thread beside the event loop; to be used from one loop at a time."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._threads = Threads("memory-embedding", 1)
        self._waiting: dict[Hashable, deque[_Waiter]] = {}
        self._work: asyncio.Task[None] | None = None

    async def embedded(
        self, who: Hashable, texts: Sequence[str], *, is_rough: bool = False
    ) -> list[Embedded]:
        """Return each text's vector, in their order; `who` asks has turns of its own.

        `is_rough`: see `Embedder.embed_roughly`. Raises what the embedder raises; whoever is
        cancelled gives the places up.
        """
        loop = asyncio.get_running_loop()
        waiters = [_Waiter(text, loop.create_future(), is_rough) for text in texts]
        self._waiting.setdefault(who, deque()).extend(waiters)
        if self._work is None or self._work.done():
            self._work = loop.create_task(self._work_off())
        return await asyncio.gather(*(waiter.place for waiter in waiters))

    async def vectors(
        self, who: Hashable, texts: Sequence[str], *, is_rough: bool = False
    ) -> np.ndarray:
        """Return the texts' unit vectors, float32, shape (n, d); see `embedded`."""
        found = await self.embedded(who, texts, is_rough=is_rough)
        return np.array([each.vector for each in found], np.float32).reshape(-1, self._embedder.dim)

    async def _work_off(self) -> None:
        while batch := self._next():
            computing = asyncio.ensure_future(self._threads.run(self._compute, batch))
            await asyncio.wait([computing])
            error = computing.exception()
            for number, waiter in enumerate(batch):
                if waiter.place.done():
                    continue
                if error is not None:
                    waiter.place.set_exception(error)
                else:
                    waiter.place.set_result(computing.result()[number])

    def _next(self) -> list[_Waiter]:
        """Return who is next: one of each in turn, until the batch is full."""
        batch: list[_Waiter] = []
        while self._waiting and len(batch) < BATCH:
            who = next(iter(self._waiting))
            waiters = self._waiting.pop(who)
            waiter = waiters.popleft()
            if not waiter.place.done():
                batch.append(waiter)
            if waiters:
                self._waiting[who] = waiters  # behind the others
        return batch

    def _compute(self, batch: Sequence[_Waiter]) -> list[Embedded]:
        exact = [each.text for each in batch if not each.is_rough]
        rough = [each.text for each in batch if each.is_rough]
        found = iter(embedded(self._embedder, exact) if exact else ())
        alike = iter(self._embedder.embed_roughly(rough) if rough else ())
        return [Embedded(next(alike), 0.0) if each.is_rough else next(found) for each in batch]


def embedded(embedder: Embedder, texts: Sequence[str]) -> list[Embedded]:
    """Return what an embedder makes of texts, in their order."""
    shares = map(embedder.unknown_share, texts)
    return [Embedded(*each) for each in zip(embedder.embed(texts), shares, strict=True)]

"""What the log says of requests that take long: how far each one is, every half minute."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from adaptation.conversation import Conversation
from adaptation.engine import Engine, Progress
from adaptation.types import Adapter, Draw, Query, Sample
from memory.types import Message

logger = logging.getLogger(__name__)

EVERY_S = 30.0


@dataclass
class Underway:
    """One request, as far as it is."""

    query: Query
    began: float = field(default_factory=time.monotonic)
    started: int = 0
    done: int = 0
    tokens: int = 0

    def log(self) -> None:
        """Write a line."""
        logger.info(
            "request %s (%s) is under way for %.0f s: %d of %d samples done, %d tokens",
            self.query.id,
            self.query.options.strategy,
            time.monotonic() - self.began,
            self.done,
            self.started,
            self.tokens,
        )


class WatchedEngine:
    """An engine whose samples are counted for the request that they are drawn for."""

    def __init__(self, engine: Engine, every_s: float = EVERY_S) -> None:
        self._engine = engine
        self._every_s = every_s
        self._underway: dict[str, Underway] = {}

    @asynccontextmanager
    async def telling(self, query: Query) -> AsyncIterator[None]:
        """Log how far `query` is, for the length of the block."""
        underway = self._underway[query.id] = Underway(query)
        task = asyncio.create_task(self._tell(underway))
        try:
            yield
        finally:
            task.cancel()
            del self._underway[query.id]

    async def _tell(self, underway: Underway) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            underway.log()

    async def sample(self, query: Query, draw: Draw) -> AsyncGenerator[Progress, None]:
        """See `Engine.sample`."""
        underway = self._underway.get(query.id) or Underway(query)
        underway.started += 1
        async with aclosing(self._engine.sample(query, draw)) as steps:
            async for step in steps:
                underway.tokens += step.new_tokens
                underway.done += step.done
                yield step

    async def end(self, request_ids: Sequence[str]) -> None:
        """See `Engine.end`."""
        await self._engine.end(request_ids)

    def prompt(self, query: Query, messages: Sequence[Message]) -> object:
        """See `Engine.prompt`."""
        return self._engine.prompt(query, messages)

    def prompt_ids(self, query: Query) -> tuple[int, ...] | None:
        """See `Engine.prompt_ids`."""
        return self._engine.prompt_ids(query)

    async def rendered(self, conversation: Conversation) -> tuple[int, ...] | None:
        """See `Engine.rendered`."""
        return await self._engine.rendered(conversation)

    def written(self, query: Query, turn: Message) -> str | None:
        """See `Engine.written`."""
        return self._engine.written(query, turn)

    def recite(self, query: Query, text: str) -> Sample | None:
        """See `Engine.recite`."""
        return self._engine.recite(query, text)

    async def load(self, adapter: Adapter) -> None:
        """See `Engine.load`."""
        await self._engine.load(adapter)

    async def drop(self, adapter: Adapter) -> None:
        """See `Engine.drop`."""
        await self._engine.drop(adapter)

    async def probe(self, token_ids: tuple[int, ...], adapter: Adapter | None) -> float:
        """See `Engine.probe`."""
        return await self._engine.probe(token_ids, adapter)

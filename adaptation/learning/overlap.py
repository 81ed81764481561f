"""Training that goes on beside the vote on the base, and ends where that vote needs none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from adaptation.learning.adapted import Adapted

DECIDED = "the vote was decided before the adapter was trained"
NEEDLESS = "the vote was decided without the adapter, which was trained"


class Overlap:
    """One training that may begin early. Leaving it as a context manager gives its adapter back."""

    def __init__(self, training: Callable[[], AbstractAsyncContextManager[Adapted]]) -> None:
        self._training = training
        self._stack = AsyncExitStack()
        self._entering: asyncio.Task[Adapted] | None = None

    async def __aenter__(self) -> Overlap:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.give_up()
        await self._stack.aclose()

    def begin(self) -> None:
        """Begin to train, where that has not been done."""
        if self._entering is None:
            entering = self._stack.enter_async_context(self._training())
            self._entering = asyncio.create_task(entering)

    async def result(self) -> Adapted:
        """Return what training came to; it begins here if it has not."""
        self.begin()
        assert self._entering is not None
        return await asyncio.shield(self._entering)

    async def give_up(self) -> Adapted:
        """End a training that nobody awaits any more; say so where it might have come to something.

        One that ended without an adapter says itself why.
        """
        if self._entering is None:
            return Adapted()
        self._entering.cancel()
        await asyncio.wait([self._entering])
        if self._entering.cancelled():
            return Adapted(reason=DECIDED)
        found = self._entering.result()
        return found if found.adapter is None else found.unused(NEEDLESS)

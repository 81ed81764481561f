"""What is needed later, and may be begun before that.

What is served is asked the guards' questions whatever the candidate becomes, and the base what is
rehearsed whatever else is learned. So where others than the one that trains have the time, they ask
while it trains; else each is asked once it is needed, and never where it is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Early(Generic[T]):
    """One thing that is found once. It fails where it is awaited, not where it was begun."""

    def __init__(self, find: Callable[[], Awaitable[T]]) -> None:
        self._find = find
        self._finding: asyncio.Future[T] | None = None

    def begin(self) -> asyncio.Future[T]:
        """Begin to find it, where that has not been done."""
        if self._finding is None:
            self._finding = asyncio.ensure_future(self._find())
        return self._finding

    async def found(self) -> T:
        """Return it."""
        return await self.begin()

    async def __aenter__(self) -> Early[T]:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    async def end(self) -> None:
        """Give up what nobody came for."""
        if self._finding is not None:
            self._finding.cancel()
            await asyncio.gather(self._finding, return_exceptions=True)

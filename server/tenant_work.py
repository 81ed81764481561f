"""Works on what tenants have left to be done, for a few of them at a time.

What is worked on is held in the database, so that of several servers one does so. Of each tenant
one thing is worked on at a time, its oldest. Knows nothing of what is done.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from typing import Generic, Protocol, TypeVar
from uuid import uuid4

from memory.errors import WhetMemoryError
from memory.threads import Threads
from server.waiting import set_within

logger = logging.getLogger(__name__)

TENANTS = 4
"""Worked for at a time."""
SWEEP_S = 30.0
"""Between looks for what nobody has told of: of other processes, or expired."""


class Owned(Protocol):
    """What is to be done."""

    @property
    def tenant(self) -> str: ...


T = TypeVar("T", bound=Owned)
Found = TypeVar("Found", bound=Owned, covariant=True)


class Left(Protocol[Found]):
    """Where it is kept."""

    def claim(self, holder: str, but_of: Collection[str] = ()) -> Found | None:
        """Return what is to be done next, now held, of none of the tenants `but_of`."""

    def let_go(self, holder: str) -> None:
        """Have others go on at once with what the holder works on."""


class Underway(Protocol):
    """The work on one thing."""

    look: asyncio.Event
    """Set where it may have been cancelled."""
    task: asyncio.Task[None]


class TenantWork(ABC, Generic[T]):
    """Looks after what is left until it is cancelled."""

    def __init__(self, what: str, left: Left[T], writing: Threads, news: asyncio.Event) -> None:
        """`news` is set when something was left or cancelled; `what` it is, in words."""
        self._what, self._left, self._writing, self._news = what, left, writing, news
        self._name = f"worker-{uuid4().hex[:12]}"
        self._at_work: dict[str, Underway] = {}

    @abstractmethod
    def begin(self, found: T, holder: str) -> Underway:
        """Begin to work on what the holder has."""

    async def tidy(self) -> None:
        """Clear away what is old, before a look for more."""

    async def follow(self) -> None:
        """Work; whoever ends this has others go on with what was begun."""
        try:
            while True:
                self._news.clear()
                try:
                    await self._begin_all()
                except WhetMemoryError as error:
                    logger.warning("%s cannot be read: %s", self._what, error)
                except Exception:  # nobody awaits this: it must not die
                    logger.exception("%s cannot be read or begun; it is tried again", self._what)
                await set_within(self._news, SWEEP_S)
        finally:
            tasks = [work.task for work in self._at_work.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(WhetMemoryError):
                await self._writing.run(self._left.let_go, self._name)

    async def _begin_all(self) -> None:
        for work in self._at_work.values():
            work.look.set()
        await self.tidy()
        while len(self._at_work) < TENANTS:
            found = await self._writing.run(self._left.claim, self._name, list(self._at_work))
            if found is None:
                return
            work = self.begin(found, self._name)
            self._at_work[found.tenant] = work
            work.task.add_done_callback(partial(self._ended, found.tenant))

    def _ended(self, tenant: str, task: asyncio.Task[None]) -> None:
        del self._at_work[tenant]
        self._news.set()  # its next

"""Shadows: a candidate answers what was answered already, unseen, while nobody asks.

A question waits until the server has nothing to do, and its answer is given up as soon as somebody
asks: no shown answer is delayed. Only verifiers of truth judge: feedback is about what was shown.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from adaptation.errors import AdaptationError
from adaptation.report import StopReason
from adaptation.types import Outcome, Query
from memory.errors import WhetMemoryError
from memory.identity.answers import agree, canonical
from memory.memory import LongTermMemory
from memory.versions.shadows import Shadow
from server.adapters.champions import Champions
from server.tenancy.principal import in_name_of

logger = logging.getLogger(__name__)
MOST = 32
"""Questions that wait; beyond it the oldest are given up."""
TRIES = 3
"""A question that somebody came between so often is given up."""
WALL_S = 60.0
LOOK_S = 0.2
Answer = Callable[[Query], Awaitable[Outcome]]


@dataclass(frozen=True)
class Wanted:
    """A question that was answered, and how."""

    query: Query
    shown: Outcome
    candidate: str
    tries: int = 0


class Shadowing:
    """Has the candidates of all tenants answer."""

    def __init__(
        self,
        memory: LongTermMemory,
        champions: Champions,
        answer: Answer,
        is_busy: Callable[[], bool],
    ) -> None:
        """`is_busy` says whether anybody asks."""
        self._memory, self._champions = memory, champions
        self._answer, self._is_busy = answer, is_busy
        self._waiting: deque[Wanted] = deque(maxlen=MOST)

    def want(self, query: Query, shown: Outcome) -> None:
        """Have a question answered again where a trial is in its shadow.

        What was remembered is no answer of the model's.
        """
        release = query.release
        remembered = shown.report.stop_reason is StopReason.REMEMBERED
        if release is not None and release.stage == "shadow" and not remembered:
            self._waiting.append(Wanted(query, shown, release.candidate))

    async def follow(self, look_s: float = LOOK_S) -> None:
        """Answer whenever nobody asks, until cancelled."""
        while True:
            await asyncio.sleep(look_s)
            if self._waiting and not self._is_busy():
                await self.next()

    async def next(self, look_s: float = LOOK_S) -> None:
        """Answer the newest question that waits; give it up where somebody comes."""
        wanted = self._waiting.pop()
        answering = asyncio.create_task(self._shadow(wanted))
        try:
            while not (await asyncio.wait([answering], timeout=look_s))[0]:
                if self._is_busy():
                    answering.cancel()
                    await asyncio.wait([answering])
        finally:
            answering.cancel()
        if answering.cancelled():
            if wanted.tries + 1 < TRIES:
                self._waiting.appendleft(replace(wanted, tries=wanted.tries + 1))
        elif (error := answering.exception()) is not None:  # nobody awaits what follows
            is_ours = isinstance(error, (AdaptationError, WhetMemoryError))
            told = None if is_ours else error
            logger.warning("%s gave no shadow: %s", wanted.candidate, error, exc_info=told)

    async def _shadow(self, wanted: Wanted) -> None:
        tenant = wanted.query.tenant
        with in_name_of(tenant):
            async with self._champions.use(tenant, "candidate") as base:
                if base is None or base.version != wanted.candidate:
                    return  # another one is the candidate by now
                outcome = await self._answer(_unseen(replace(wanted.query, base=base)))
        new = await asyncio.to_thread(_compared, wanted, outcome)
        await asyncio.to_thread(self._memory.shadows.add, tenant, new)


def _unseen(query: Query) -> Query:
    """Return a question whose answer nobody waits for, and that leaves nothing behind."""
    memory = query.options.memory.model_copy(update={"write": False, "reuse": False})
    return replace(
        query,
        id=f"{query.id}-shadow",
        options=query.options.model_copy(update={"memory": memory, "progress": False}),
        scope=None,
        release=None,
        deadline=time.monotonic() + WALL_S,
        notify=None,
        abandoned=None,
    )


def _compared(wanted: Wanted, outcome: Outcome) -> Shadow:
    mine, shown = outcome.report.answer, wanted.shown.report.answer
    if mine is None or shown is None:
        same = mine == shown
    else:
        same = agree(canonical(mine), canonical(shown))
    return Shadow(
        id=wanted.query.id,
        adapter_id=wanted.candidate,
        shown_right=_right(wanted.shown),
        right=_right(outcome),
        same=same,
    )


def _right(outcome: Outcome) -> bool | None:
    return outcome.trial.right if outcome.trial else None

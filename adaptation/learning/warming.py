"""Training beforehand: adapters that requests had no time for are made while nobody waits."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from itertools import count

from adaptation.learning.adapting import adapted
from adaptation.learning.obstacles import obstacle_to_training
from adaptation.learning.wanted import Wanted
from adaptation.options import Budget
from adaptation.recall import recall
from adaptation.services import Services
from adaptation.stopwatch import Stopwatch
from adaptation.types import Adapter, Query
from adaptation.voting.pool import SamplePool

logger = logging.getLogger(__name__)
IDLE_S = 5.0
"""Without a request for so long, a server is idle."""
LOOK_S = 1.0


@dataclass(frozen=True)
class Warmth:
    """How far a tenant's training beforehand is."""

    wanted: int
    """Neighbourhoods that still have no adapter."""
    is_training: bool
    kept: int
    """Trained since the start, with an adapter that the gate accepted."""
    unused: int
    """Trained since the start, with nothing to keep."""


class Warming:
    """Trains for what is `wanted`, one neighbourhood after another."""

    def __init__(
        self,
        services: Services,
        wanted: Wanted,
        base: Callable[[Query], AbstractAsyncContextManager[Adapter | None]],
        is_busy: Callable[[], bool],
    ) -> None:
        """`base` holds what answers a query, `is_busy` whether any are under way."""
        # What has no time even here is not wanted again.
        self._services = replace(services, wanted=None)
        self._wanted, self._base, self._is_busy = wanted, base, is_busy
        self._kept: Counter[str] = Counter()
        self._unused: Counter[str] = Counter()
        self._at_work: dict[str, asyncio.Task[None]] = {}
        """By tenant, for whoever asked."""
        self._turn = asyncio.Lock()
        self._numbers = count()

    def state(self, tenant: str) -> Warmth:
        """Return how far it is."""
        return Warmth(
            wanted=self._wanted.count(tenant),
            is_training=tenant in self._at_work,
            kept=self._kept[tenant],
            unused=self._unused[tenant],
        )

    def begin(self, tenant: str) -> None:
        """Train for all that a tenant wants, in the background; does nothing where that is done."""
        if tenant not in self._at_work and self._wanted.count(tenant):
            task = asyncio.create_task(self._all_of(tenant))
            self._at_work[tenant] = task
            task.add_done_callback(lambda _: self._at_work.pop(tenant, None))

    async def follow(self, idle_s: float = IDLE_S, look_s: float = LOOK_S) -> None:
        """Train whenever there has been no request for `idle_s`, until cancelled."""
        last_busy = time.monotonic()
        while True:
            await asyncio.sleep(look_s)
            if self._is_busy():
                last_busy = time.monotonic()
            elif time.monotonic() - last_busy >= idle_s:
                await self._next(None)

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._at_work.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _all_of(self, tenant: str) -> None:
        while await self._next(tenant):
            pass

    async def _next(self, tenant: str | None) -> bool:
        """Train for what is wanted most; return whether anything was."""
        async with self._turn:
            query = self._wanted.take(tenant)
            if query is None:
                return False
            try:
                async with self._base(query) as base:
                    await self._train(replace(query, base=base))
            except Exception:  # the next one may do, and the loop of an idle server goes on
                logger.exception("training beforehand failed")
            return True

    async def _train(self, query: Query) -> None:
        """Train as a request would that had all the time and tokens, and draws no sample."""
        began = time.monotonic()
        options = query.options.model_copy(
            update={"budget": Budget(train_steps=query.options.budget.train_steps)}
        )
        query = replace(
            query,
            id=f"warm-{next(self._numbers)}",
            options=options,
            deadline=math.inf,
            notify=None,
            abandoned=None,
        )
        obstacle = await self._obstacle(query)
        (self._unused if obstacle else self._kept)[query.tenant] += 1
        came_to = obstacle or "an adapter is kept"
        logger.info("trained beforehand in %.0f s: %s", time.monotonic() - began, came_to)

    async def _obstacle(self, query: Query) -> str | None:
        """Return why there is no adapter, None where there is one now."""
        services = self._services
        neighbours = (await recall(query, services, as_examples=True)).neighbours
        why = obstacle_to_training(query.options, neighbours, services.policy)
        if why is not None:
            return why
        async with (
            SamplePool(services.engine, query) as pool,
            adapted(query, neighbours, services, Stopwatch(), pool) as outcome,
        ):
            return outcome.reason

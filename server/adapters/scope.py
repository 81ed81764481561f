"""Which questions a champion answers: those near what it learned from; the exact base has the rest.

The one place where that is decided. A question is as near as the nearest question of the records
in the version's lineage, by the cosine of their vectors. In doubt the base answers.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
from cachetools import LRUCache

from adaptation.errors import EngineError
from adaptation.report import NeighbourReport, ReleaseReport, ScopeReport
from adaptation.types import Adapter, Query
from memory.errors import WhetMemoryError
from memory.memory import LongTermMemory
from memory.versions.learned import Learned
from server.adapters.champions import Champions
from server.adapters.serving import Serving
from server.adapters.trials import Trials
from server.requests.request_context import Asked
from server.tenancy.principal import in_name_of

logger = logging.getLogger(__name__)

CANDIDATE, PREVIOUS = "candidate", "previous"
"""The aliases of what is tried, and of what was served before."""
WAIT_S = 5.0
"""For memory and the embedder; then the base answers."""
KEPT = 16
"""Versions whose questions are kept: 3 MB each at most."""
REREAD_S = 60.0
"""After so long they are read again: records are erased, and embedded anew, meanwhile."""
UNASKED = "the request has no question to compare"
UNREAD = "what the adapter learned from cannot be compared with: {}"
UNEMBEDDED = "no record that the adapter learned from has a vector now"


@dataclass(frozen=True)
class Region:
    """What a version learned from, as it was read."""

    learned: Learned
    read_at: float = field(default_factory=time.monotonic)
    """Monotonic seconds."""

    @property
    def is_old(self) -> bool:
        """Whether it should be read again; it serves until then."""
        return time.monotonic() - self.read_at > REREAD_S

    def nearest(self, question: np.ndarray) -> NeighbourReport:
        """Return the record nearest to a unit vector, float32, shape (d,)."""
        similarities = self.learned.vectors @ question  # (n,)
        best = int(similarities.argmax())
        return NeighbourReport(
            id=self.learned.ids[best], similarity=round(float(similarities[best]), 4)
        )


class Scope:
    """Holds for each question what answers it."""

    def __init__(
        self, champions: Champions, memory: LongTermMemory, trials: Trials, least: float | None
    ) -> None:
        """`least` is the cosine from which on the champion answers; None: it answers everything."""
        self._champions = champions
        self._trials = trials
        self._memory = memory
        self._least = least
        self._regions: LRUCache[tuple[str, str], Region] = LRUCache(KEPT)
        self._readings: dict[tuple[str, str], asyncio.Task[Region]] = {}

    @asynccontextmanager
    async def of(self, asked: Asked) -> AsyncIterator[Serving]:
        """Hold what answers one prompt until the block ends.

        A fine-tuned model that is asked for by name answers whatever it is asked. Raises
        `EngineError` where there is no place for the adapter.
        """
        context = asked.context
        if context.model is not None:
            async with self._champions.use(context.tenant, context.model) as base:
                yield Serving(base)
            return
        async with AsyncExitStack() as stack:
            found = await self._tried(asked, stack)
            if found.base is None and not _is_held_back(found.release):
                usual = self._placed(context.tenant, asked.question, context.deadline)
                served = await stack.enter_async_context(usual)
                found = served._replace(release=_still(found.release, served.base))
            yield found

    @asynccontextmanager
    async def unknown(self, tenant: str) -> AsyncIterator[Serving]:
        """Hold what answers a prompt of which nobody can tell what its question is."""
        async with self._placed(tenant, "") as serving:
            yield serving

    @asynccontextmanager
    async def hold(self, query: Query) -> AsyncIterator[Adapter | None]:
        """Hold what would answer a query, for work in its tenant's name that nobody waits for."""
        with in_name_of(query.tenant):
            async with self._placed(query.tenant, query.question) as serving:
                yield serving.base

    async def _tried(self, asked: Asked, stack: AsyncExitStack) -> Serving:
        """Return the candidate where a trial has it answer, held by `stack`.

        Only what it could answer is part of the trial, in both arms alike.
        """
        release, tenant = self._trials.of(asked), asked.context.tenant
        if release is None:
            return Serving()
        scope = await self._scope(tenant, release.candidate, asked.question, asked.context.deadline)
        if scope is not None and not scope.within:
            return Serving()
        if _is_held_back(release):
            return await self._before(asked, release, stack)
        if release.arm == "control" or release.stage == "all":
            return Serving(release=release)
        base = await self._held(stack, tenant, CANDIDATE, release.candidate)
        return Serving(base, scope, release) if base else Serving()

    async def _before(self, asked: Asked, release: ReleaseReport, stack: AsyncExitStack) -> Serving:
        """Return what was served before the champion, held by `stack`."""
        tenant = asked.context.tenant
        version = self._trials.previous(tenant)
        scope = await self._scope(tenant, version, asked.question, asked.context.deadline)
        if version is None or (scope is not None and not scope.within):
            return Serving(None, scope, release)
        base = await self._held(stack, tenant, PREVIOUS, version)
        return Serving(base, scope, release) if base else Serving()

    async def _held(
        self, stack: AsyncExitStack, tenant: str, alias: str, version: str
    ) -> Adapter | None:
        """Return what an alias stands for, held by `stack`; None where it is another by now."""
        try:
            base = await stack.enter_async_context(self._champions.use(tenant, alias))
        except EngineError as error:
            logger.warning("%s %s cannot be tried: %s", alias, version, error)
            return None
        return base if base is not None and base.version == version else None

    @asynccontextmanager
    async def _placed(
        self, tenant: str, question: str, deadline: float = math.inf
    ) -> AsyncIterator[Serving]:
        """Hold a tenant's champion for a question within its scope.

        One that is out of it takes no place from the champions of others.
        """
        version = self._champions.version(tenant) if self._least is not None else None
        scope = await self._scope(tenant, version, question, deadline)
        if scope is not None and not scope.within:
            yield Serving(None, scope)
            return
        async with self._champions.use(tenant) as base:
            held = base.version if base is not None and self._least is not None else None
            if held != version:  # another one was promoted, or is served still
                scope = await self._scope(tenant, held, question, deadline)
            yield Serving(base if scope is None or scope.within else None, scope)

    async def _scope(
        self, tenant: str, version: str | None, question: str, deadline: float
    ) -> ScopeReport | None:
        """Return where a question lies; None where there is no champion to ask that of."""
        if version is None or self._least is None:
            return None
        left_s = max(0.0, min(WAIT_S, deadline - time.monotonic()))
        try:
            async with asyncio.timeout(left_s):
                return await self._compared(tenant, version, question, self._least)
        except WhetMemoryError as error:
            reason = UNREAD.format(error)
        except TimeoutError:
            reason = UNREAD.format(f"memory did not answer within {left_s:.2g} s")
        return ScopeReport(champion=version, within=False, reason=reason)

    async def _compared(
        self, tenant: str, version: str, question: str, least: float
    ) -> ScopeReport | None:
        region = await self._region(tenant, version)
        if region.learned.total == 0:  # one that was not distilled here: it has no lineage
            return None
        if not question.strip():
            return ScopeReport(champion=version, within=False, reason=UNASKED)
        if not region.learned.ids:
            return ScopeReport(champion=version, within=False, reason=UNEMBEDDED)
        (vector,) = await self._memory.aside.embedding.vectors(tenant, [question])
        nearest = region.nearest(vector)
        return ScopeReport(champion=version, within=nearest.similarity >= least, nearest=nearest)

    async def _region(self, tenant: str, version: str) -> Region:
        """Return what a version learned from; nobody waits for what is only to be read again."""
        known = self._regions.get((tenant, version))
        if known is not None and not known.is_old:
            return known
        reading = self._reading(tenant, version)
        return await asyncio.shield(reading) if known is None else known

    def _reading(self, tenant: str, version: str) -> asyncio.Task[Region]:
        """Return what all requests for it wait for; none that leaves cuts it short."""
        under_way = self._readings.get((tenant, version))
        if under_way is None:
            under_way = asyncio.create_task(self._read(tenant, version))
            self._readings[tenant, version] = under_way
            under_way.add_done_callback(lambda task: self._end(tenant, version, task))
        return under_way

    async def _read(self, tenant: str, version: str) -> Region:
        learned = await self._memory.aside.reading.run(self._memory.learned.of, tenant, version)
        self._regions[tenant, version] = region = Region(learned)
        return region

    def _end(self, tenant: str, version: str, task: asyncio.Task[Region]) -> None:
        del self._readings[tenant, version]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("what %s learned from cannot be read: %s", version, error)


def _is_held_back(release: ReleaseReport | None) -> bool:
    """Whether a new champion leaves a question to what was served before."""
    return release is not None and (release.stage, release.arm) == ("all", "control")


def _still(release: ReleaseReport | None, base: Adapter | None) -> ReleaseReport | None:
    """Return a trial, unless it is of a champion that is another by now."""
    if release is None or release.stage != "all":
        return release
    return release if base is not None and base.version == release.candidate else None

"""Which stopping rule decides a vote, with what is expected of the vote before it begins.

A rule that knows a prior learns it from how the tenant's past votes fell, above all from votes on
questions like this one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from cachetools import TTLCache

from adaptation.types import Query
from adaptation.voting.ballots import Ballots
from adaptation.voting.stopping import RULES, WITH_PRIOR, StoppingRule
from adaptation.voting.stopping.bayesian import PRICE
from adaptation.voting.stopping.prior import learned
from adaptation.voting.stopping.shapes import COLD, Floats, Pattern
from memory.errors import StorageUnavailableError
from memory.history.past_votes import PastVotes
from memory.types import Neighbour

logger = logging.getLogger(__name__)
Read = Callable[[Callable[[], Any]], Awaitable[Any]]

TENANT_STRENGTH = 20.0
"""Votes the cold prior counts for beside those of the tenant; of fewer nothing is learned."""
NEAR_STRENGTH = 10.0
"""Votes the tenant's prior counts for beside those on questions like this one."""
NEIGHBOURS = 8
"""Close records whose questions' votes are looked at."""
REFRESH_S = 5.0
"""What is known of a tenant is at most so old."""
MAX_TENANTS = 1024
PATIENCE_S = 0.25
"""A vote can do without what is learned: it waits no longer for it, nor a tenth of its time."""


def patience(query: Query) -> float:
    """Return how many seconds a vote on `query` may wait for what past votes teach."""
    left_s = query.seconds_left
    return PATIENCE_S if left_s is None else min(PATIENCE_S, left_s / 10)


class Rules:
    """Makes the rule called `name` for one vote after the other."""

    def __init__(
        self,
        name: str,
        votes: PastVotes,
        price: float = PRICE,
        refresh_s: float = REFRESH_S,
        read: Read = asyncio.to_thread,
    ) -> None:
        """`read` runs what reads the database, beside the event loop."""
        self._read = read
        self._rule = RULES[name]
        self._price = price
        self._learns = name in WITH_PRIOR
        self._votes = votes
        self._of_tenant: TTLCache[tuple[str, bool], Floats] = TTLCache(MAX_TENANTS, refresh_s)
        self._refreshing: dict[tuple[str, bool], asyncio.Task[Floats]] = {}

    def warm_up(self) -> None:
        """Build the tables that all rules share: a tenth of a second that no request pays for."""
        self._rule(COLD, self._price).leader_probability(Ballots((0,)))

    def learns_from(self, query: Query) -> bool:
        """Whether past votes play a part: not where memory is not to be read, nor in a seeded
        request, which is to stop where it did when it was asked before."""
        return self._learns and query.seed is None and query.options.memory.read

    async def of(
        self,
        query: Query,
        close: Sequence[Neighbour],
        *,
        trained: bool = False,
        rule: str | None = None,
    ) -> StoppingRule:
        """Return the rule for a vote on `query`; `close` are the records near its question.

        `trained` says that the votes come through an adapter trained for this request; `rule` names
        another rule, which learns nothing.
        """
        if rule is not None:
            return RULES[rule](COLD, self._price)
        if not self.learns_from(query):
            return self._rule(COLD, self._price)
        near = [neighbour.record.id for neighbour in close[:NEIGHBOURS]]
        prior = COLD
        try:
            async with asyncio.timeout(patience(query)):
                prior = await self._prior_of_tenant(query.tenant, trained)
                if near and prior is not COLD:
                    prior = await self._learn(prior, NEAR_STRENGTH, query.tenant, trained, near)
        except TimeoutError:
            logger.info("past votes were not read in time: a vote goes on without them")
        return self._rule(prior, self._price)

    async def _prior_of_tenant(self, tenant: str, trained: bool) -> Floats:
        """Return what is known; who does not wait for it leaves it to those who come later."""
        key = (tenant, trained)
        known = self._of_tenant.get(key)
        if known is not None:
            return known
        if key not in self._refreshing:
            task = self._refreshing[key] = asyncio.create_task(self._refresh(tenant, trained))
            task.add_done_callback(lambda _: self._refreshing.pop(key))
        return await asyncio.shield(self._refreshing[key])

    async def _refresh(self, tenant: str, trained: bool) -> Floats:
        prior = await self._learn(COLD, TENANT_STRENGTH, tenant, trained)
        self._of_tenant[tenant, trained] = prior
        return prior

    async def _learn(
        self,
        prior: Floats,
        strength: float,
        tenant: str,
        trained: bool,
        near: Sequence[str] | None = None,
    ) -> Floats:
        def learn() -> Floats:
            fallen = self._votes.count(tenant, trained=trained, near=near)
            patterns = {Pattern(*votes): float(times) for votes, times in fallen.items()}
            enough = prior is not COLD or fallen.total() >= TENANT_STRENGTH
            return learned(prior, patterns, strength) if enough else prior

        try:
            prior_after: Floats = await self._read(learn)
            return prior_after
        except StorageUnavailableError as error:
            logger.warning("past votes cannot be read: %s", error)
            return prior

"""Has the servers of one database hold their tenants' limits together.

Owns when claims are made: one round at a time, for all tenants that have something to claim. A
request waits for a round only where this server has no leave left; while the database is away, or
slow, nobody waits, and each server goes on with its share.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from memory.errors import WhetMemoryError
from memory.quota_counts import QuotaCounts
from memory.tenants import Limits
from memory.threads import Threads
from server.tenancy.shared_bucket import Company
from server.tenancy.shared_quota import BEAT_S, SharedQuota
from server.waiting import set_within

logger = logging.getLogger(__name__)

PATIENCE_S = 1.0
"""What a request waits for a round at most: then the database counts as away."""
PAUSE_S = 0.05
"""Before the second look of a request that found no place: one that ended elsewhere is given back
in a few milliseconds."""
TOGETHER = 64
"""Tenants in one transaction of a beat, which locks their rows."""
TIDY_S = 3600.0
NOBODY: Callable[[str], int] = lambda tenant: 0  # noqa: E731


class Settling:
    """What this server claims of every tenant's limits."""

    def __init__(self, counts: QuotaCounts) -> None:
        self.company = Company()
        self.in_background = NOBODY
        """Returns how many requests of a tenant are at work that no client waits for."""
        self._counts, self._server = counts, uuid.uuid4().hex[:12]
        self._threads = Threads("quotas", 1)
        self._quotas: dict[str, SharedQuota] = {}
        self._due: set[str] = set()
        self._ended = asyncio.Event()
        """Set when the round has ended that is to begin next."""
        self._rounds: asyncio.Task[None] | None = None
        self._tidied_at = time.monotonic()

    def quota(self, tenant: str, limits: Limits) -> SharedQuota:
        """Return a tenant's use on this server, from here on."""
        made = SharedQuota(limits, self.company, partial(self._claim, tenant))
        self._quotas[tenant] = made
        return made

    def forget(self, tenant: str) -> None:
        """Forget a tenant that uses nothing."""
        self._quotas.pop(tenant, None)

    async def room(self, tenant: str) -> None:
        """Wait until a request may begin as far as this server knows; whether it may is told then.

        Nothing else may be waited for before it begins, as others would take what it waited for.
        """
        quota = self._quotas[tenant]
        quota.waiting += 1
        try:
            if quota.lacks(quota.waiting, self.in_background(tenant)):  # nobody overtakes
                await self._settled([tenant])
            if quota.lacks(1, self.in_background(tenant)):
                await asyncio.sleep(PAUSE_S)
                await self._settled([tenant])
        finally:
            quota.waiting -= 1

    async def follow(self) -> None:
        """Tell the database every second what was used, and that this server is there."""
        await self._look()
        while True:
            await asyncio.sleep(BEAT_S)
            await self.beat()

    async def beat(self) -> None:
        """Tell it once."""
        due = [tenant for tenant, quota in self._quotas.items() if quota.beat()]
        for tenants in _parts(due):
            await self._settled(tenants)
        if (due or self.company.is_away) and await self._look() and not due:
            self._note_back()

    async def close(self) -> None:
        """Give back what this server has, as if nobody had come lately."""
        for quota in self._quotas.values():
            quota.beat()
        await self._settled([tenant for tenant, quota in self._quotas.items() if quota.beat()])
        if self._rounds is not None:
            self._rounds.cancel()

    async def _look(self) -> bool:
        """See how many servers there are, and that tenants who came once are not kept for ever.

        Return whether the database answered; that rounds end well is for rounds to tell.
        """
        try:
            self.company.servers = max(1, await self._threads.run(self._counts.servers))
            if time.monotonic() - self._tidied_at > TIDY_S:
                self._tidied_at = time.monotonic()
                await self._threads.run(self._counts.tidy)
        except WhetMemoryError as error:
            self._note_away(str(error))
            return False
        return True

    async def _settled(self, tenants: Sequence[str]) -> None:
        """Wait for a round about tenants that begins from now on, but not for long."""
        if not tenants:
            return
        ended = self._ended
        for tenant in tenants:
            self._claim(tenant)
        await set_within(ended, PATIENCE_S)
        if not ended.is_set():
            self._note_away(f"it has not answered for {PATIENCE_S} s")

    def _claim(self, tenant: str) -> None:
        """Have a round soon in which a tenant's use is told."""
        self._due.add(tenant)
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.get_running_loop().create_task(self._go_round())

    async def _go_round(self) -> None:
        while self._due:
            due, ended = self._due, self._ended
            self._due, self._ended = set(), asyncio.Event()
            try:
                await self._round({t: self._quotas[t] for t in due & self._quotas.keys()})
            finally:
                ended.set()

    async def _round(self, quotas: dict[str, SharedQuota]) -> None:
        claims = {t: quota.claim(self.in_background(t)) for t, quota in quotas.items()}
        try:
            grants = await self._threads.run(self._counts.settle, self._server, claims)
        except WhetMemoryError as error:
            for quota in quotas.values():
                quota.keep()
            self._note_away(str(error))
            return
        for tenant, quota in quotas.items():
            quota.settle(grants[tenant])
        self._note_back()

    def _note_back(self) -> None:
        if self.company.is_away:
            self.company.is_away = False
            logger.info("limits are counted with the other servers again")

    def _note_away(self, why: str) -> None:
        if not self.company.is_away:
            self.company.is_away = True
            logger.warning(
                "limits are counted by this server alone until the database is back, and it goes "
                "by 1/%d of each: %s",
                self.company.servers,
                why,
            )


def _parts(tenants: Sequence[str]) -> Iterator[Sequence[str]]:
    return (tenants[at : at + TOGETHER] for at in range(0, len(tenants), TOGETHER))

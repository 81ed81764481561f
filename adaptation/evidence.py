"""What the ledger says of strategies, for requests that cannot wait long for it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from cachetools import TTLCache

from adaptation.types import Query
from adaptation.voting.rules import MAX_TENANTS, NEIGHBOURS, REFRESH_S, patience
from memory.errors import StorageUnavailableError
from memory.history.ledger import Seen
from memory.memory import LongTermMemory
from memory.types import Neighbour

logger = logging.getLogger(__name__)
Counts = Mapping[str, Seen]


@dataclass(frozen=True)
class Known:
    """Trials by strategy."""

    of_tenant: Counts = field(default_factory=dict)
    near: Counts = field(default_factory=dict)
    """Counts on questions like the one asked."""

    def near_of(self, strategy: str) -> Seen:
        """Return the trials of one strategy on questions like the one asked."""
        return self.near.get(strategy, Seen())


class Evidence:
    """Reads the ledger beside the event loop; of a tenant at most every few seconds."""

    def __init__(self, memory: LongTermMemory) -> None:
        self._memory = memory
        self._of_tenant: TTLCache[str, Counts] = TTLCache(MAX_TENANTS, REFRESH_S)
        self._lock = threading.Lock()
        """Guards the cache, which several threads read and write."""

    async def of(self, query: Query, close: tuple[Neighbour, ...]) -> Known:
        """Return what is known; nothing where memory is not to be read, or does not answer."""
        if not query.options.memory.read:
            return Known()
        near = [neighbour.record.id for neighbour in close[:NEIGHBOURS]]
        try:
            async with asyncio.timeout(patience(query)):
                known: Known = await self._memory.aside.read(lambda: self._read(query.tenant, near))
                return known
        except (TimeoutError, StorageUnavailableError) as error:
            logger.info("the ledger was not read: %s", error or "no reply in time")
            return Known()

    def _read(self, tenant: str, near: list[str]) -> Known:
        with self._lock:
            of_tenant = self._of_tenant.get(tenant)
        if of_tenant is None:
            of_tenant = self._memory.ledger.count(tenant)
            with self._lock:
                self._of_tenant[tenant] = of_tenant
        return Known(of_tenant, self._memory.ledger.count(tenant, near) if near else {})

"""The distilled adapters of all tenants, in the few places that the engine has for them.

Each tenant has a champion of its own, and is served with no other. Where there are more champions
than places, those asked for are loaded, and the ones that were not asked for longest make room.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from adaptation.engine import Engine
from adaptation.errors import EngineError
from adaptation.learning.leases import AdapterLeases
from adaptation.types import Adapter
from memory.adapters import AdapterRegistry
from memory.errors import WhetMemoryError
from server.champion import Champion
from server.config import DEFAULT_TENANT

logger = logging.getLogger(__name__)

WAIT_S = 30.0
"""For a place, when requests use all of them."""


class Champions:
    """Follows every tenant's champion."""

    def __init__(
        self, model: str, registry: AdapterRegistry, engine: Engine, places: AdapterLeases
    ) -> None:
        """`model` is the base that is served; nobody else takes of `places`."""
        self._model, self._registry, self._engine = model, registry, engine
        self._places = places
        self._champions: dict[str, Champion] = {}
        self._wanted: Mapping[str, str] = {}
        """The version that each tenant with a champion is to be served with."""
        self._unread: str | None = None
        self._asked_at: dict[str, float] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._freed = asyncio.Event()

    def of(self, tenant: str) -> Champion:
        """Return what follows one tenant's champion."""
        if tenant not in self._champions:
            self._champions[tenant] = Champion(
                tenant, self._model, self._registry, self._engine, self._places, self._make_room
            )
        return self._champions[tenant]

    @property
    def problem(self) -> str | None:
        """Why what the default tenant is served with may not be what the registry says."""
        return self._unread or self.of(DEFAULT_TENANT).problem

    @asynccontextmanager
    async def use(self, tenant: str) -> AsyncIterator[Adapter | None]:
        """Hold a tenant's champion: it stays loaded until the block ends.

        Raises `EngineError` where all places stay in use.
        """
        if tenant not in self._wanted and tenant not in self._champions:
            yield None
            return
        self._asked_at[tenant] = time.monotonic()
        champion = self.of(tenant)
        if champion.is_away:
            await self._fetch(tenant, champion)
        try:
            with champion.use() as adapter:
                yield adapter
        finally:
            self._freed.set()

    async def follow(self, poll_s: float) -> None:
        """Keep up with the registry until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(poll_s)

    async def refresh(self) -> None:
        """Serve what the registry says now; of those nobody asks for, as many as have a place."""
        try:
            self._wanted = await asyncio.to_thread(self._registry.champions)
            self._unread = None
        except WhetMemoryError as error:
            self._unread = f"the registry cannot be read: {error}"
        for tenant in sorted({*self._champions, *self._wanted}):
            await self._look_after(tenant, self.of(tenant))
        self._freed.set()

    async def _look_after(self, tenant: str, champion: Champion) -> None:
        if champion.adapter is None and tenant in self._wanted and not self._places.free:
            champion.stay_away()
            return
        async with self._turns[tenant]:
            await champion.refresh()

    async def _fetch(self, tenant: str, champion: Champion) -> None:
        """Load a champion that had to make room for others."""
        give_up_at = time.monotonic() + WAIT_S
        async with self._turns[tenant]:
            while champion.is_away:
                self._freed.clear()
                await champion.refresh()
                if not champion.is_away:
                    return
                await self._until_freed(give_up_at)

    async def _until_freed(self, give_up_at: float) -> None:
        try:
            async with asyncio.timeout(give_up_at - time.monotonic()):
                await self._freed.wait()
        except TimeoutError as error:
            raise EngineError(
                "requests of other tenants use every place for distilled adapters: try again, or "
                "serve with a larger --max-champions"
            ) from error

    async def _make_room(self, newcomer: str) -> None:
        """Unload another's champion, that nobody uses and nobody has asked for longest."""
        others = (item for item in self._champions.items() if item[0] != newcomer)
        if idle := [tenant for tenant, each in others if each.is_idle]:
            tenant = min(idle, key=lambda tenant: self._asked_at.get(tenant, 0.0))
            await self._champions[tenant].leave()

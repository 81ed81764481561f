"""Serving the distilled adapter: notice a promotion, load it, swap, retire the old one.

The database says who the champion is; this follows it, so that `whet distill` in another process
and a rollback over HTTP reach a running server alike, without a restart.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adaptation.adapting import PROBE_TOKENS
from adaptation.engine import Engine
from adaptation.errors import EngineError
from adaptation.leases import AdapterLeases, Lease
from adaptation.types import Adapter
from memory.adapters import AdapterRegistry
from memory.errors import WhetMemoryError
from memory.types import AdapterVersion

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Held:
    """A champion in the engine, under a leased name for as long as any request uses it."""

    adapter: Adapter
    lease: Lease


class Champion:
    """Follows the champion of one tenant."""

    def __init__(
        self,
        tenant: str,
        model: str,
        registry: AdapterRegistry,
        engine: Engine,
        leases: AdapterLeases,
    ) -> None:
        """`model` is the base that is served: an adapter of another one would load and mislead."""
        self._tenant = tenant
        self._model = model
        self._registry = registry
        self._engine = engine
        self._leases = leases
        self._held: Held | None = None
        self._wanted: str | None = None
        self._users: Counter[int] = Counter()
        self._retired: dict[int, Held] = {}
        self._unread: str | None = None
        self._refused: str | None = None

    @property
    def adapter(self) -> Adapter | None:
        """What new requests are served with."""
        return self._held.adapter if self._held else None

    @property
    def problem(self) -> str | None:
        """Why what is served may not be what the registry says."""
        return self._unread or self._refused

    @contextmanager
    def use(self) -> Iterator[Adapter | None]:
        """Hold the current champion: it stays loaded until the block ends."""
        adapter = self.adapter
        if adapter is None:
            yield None
            return
        self._users[adapter.id] += 1
        try:
            yield adapter
        finally:
            self._users[adapter.id] -= 1

    async def follow(self, poll_s: float) -> None:
        """Keep up with the registry until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(poll_s)

    async def refresh(self) -> None:
        """Serve the registry's present champion; on any fault serve what can be served."""
        await self._drop_unused()
        try:
            version = await asyncio.to_thread(self._registry.alias, self._tenant, "champion")
        except WhetMemoryError as error:
            self._unread = f"the registry cannot be read: {error}"
            return
        self._unread = None
        if (version.id if version else None) == self._wanted:
            return
        await self._swap(version)
        self._wanted = version.id if version else None

    async def _swap(self, version: AdapterVersion | None) -> None:
        self._refused = None
        fresh: Held | None = None
        if version is not None:
            try:
                fresh = await self._load(version)
            except EngineError as error:
                self._refused = f"champion {version.id} cannot be served: {error}"
                logger.error("%s; the base is served", self._refused)
        old, self._held = self._held, fresh
        if old is not None:
            self._retired[old.adapter.id] = old
        logger.info("now serving %s", fresh.adapter.version if fresh else "the base")

    async def _load(self, version: AdapterVersion) -> Held:
        if version.base_model != self._model:
            raise EngineError(f"it was trained for {version.base_model}, not for {self._model}")
        if not await asyncio.to_thread(self._registry.files_ok, version):
            raise EngineError("its files are missing or damaged")
        lease = await self._leases.acquire()
        adapter = Adapter(
            name=lease.name, id=lease.id, path=version.path, version=version.id, rank=version.rank
        )
        held = Held(adapter, lease)
        try:
            await self._engine.load(adapter)
            await self._probe(adapter)
        except EngineError:
            await self._retire(held)
            raise
        return held

    async def _probe(self, adapter: Adapter) -> None:
        with_it = await self._engine.probe(PROBE_TOKENS, adapter)
        if with_it == await self._engine.probe(PROBE_TOKENS, None):
            raise EngineError("its log-probabilities are those of the base: it is not applied")

    async def _drop_unused(self) -> None:
        for held in [h for i, h in self._retired.items() if not self._users[i]]:
            del self._retired[held.adapter.id]
            await self._retire(held)

    async def _retire(self, held: Held) -> None:
        try:
            await self._engine.drop(held.adapter)
        except EngineError as error:
            logger.warning("adapter %s was not unloaded: %s", held.adapter.version, error)
        self._leases.release(held.lease)

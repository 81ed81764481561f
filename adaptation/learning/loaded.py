"""Adapters in the engine, a name each, and those of them that stay for the next request.

A kept adapter stays loaded when its request is over: who comes next with the same neighbours
samples at once, and who comes together shares it. Nobody waits for a name that an unused one holds:
the one that has been unused for longest makes way.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from adaptation.engine import Engine
from adaptation.errors import EngineError
from adaptation.learning.leases import AdapterLeases, Lease
from adaptation.learning.probing import check_applied
from adaptation.types import Adapter

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class Loaded:
    """An adapter in the engine, and how many requests use it."""

    adapter: Adapter
    lease: Lease
    since: float
    """`time.monotonic()` when its first user of now began."""
    users: int = 1
    key: str | None = None
    """Key of the neighbourhood that it stays for; None: it goes with its last user."""


class LoadedAdapters:
    """Loads adapters, drops them, and knows which stay."""

    def __init__(self, engine: Engine, leases: AdapterLeases) -> None:
        self._engine, self._leases = engine, leases
        self._staying: OrderedDict[str, Loaded] = OrderedDict()
        """By neighbourhood, the one unused for longest first among the unused."""

    async def lease(self) -> Lease:
        """Wait for a name; an adapter that nobody uses gives its own up at once."""
        while not self._leases.free and (unused := self._longest_unused()) is not None:
            self._leave_for_good(unused)
            await self._drop(unused)
        return await self._leases.acquire()

    async def load(self, lease: Lease, folder: Path, rank: int, base: Adapter | None) -> Loaded:
        """Load what is in `folder` under `lease`, and make sure that the engine applies it.

        One user has it. Raises `EngineError`; then nothing is left in the engine, nor of the lease.
        """
        parent = base.version if base else None
        adapter = Adapter(lease.name, lease.id, str(folder), f"ttt_{lease.id}", rank, parent)
        loaded = Loaded(adapter, lease, time.monotonic())
        try:
            await self._engine.load(adapter)
            await check_applied(self._engine, adapter, base)
        except BaseException:
            await self._drop(loaded)  # one that fails half-way may have reached the engine
            raise
        return loaded

    def stay(self, key: str, loaded: Loaded) -> None:
        """Have an adapter that is used stay for the next request of a neighbourhood."""
        loaded.key = key
        self._staying[key] = loaded

    def take(self, key: str) -> Loaded | None:
        """Use what stays of a neighbourhood; None where nothing does."""
        loaded = self._staying.get(key)
        if loaded is not None:
            if not loaded.users:
                self._leases.unused -= 1
                loaded.since = time.monotonic()
            loaded.users += 1
        return loaded

    async def leave(self, loaded: Loaded) -> None:
        """Use it no longer; it goes where nobody else uses it and it need not stay."""
        loaded.users -= 1
        if loaded.users:
            return
        self._leases.note_use(time.monotonic() - loaded.since)
        if loaded.key is not None:
            self._leases.unused += 1
            self._staying.move_to_end(loaded.key)
            if not self._leases.waiting:
                return
            self._leave_for_good(loaded)
        await self._drop(loaded)

    async def drop_others(self, keys: Collection[str]) -> None:
        """Have none stay but those of `keys`; what is used goes with its last user."""
        others = [each for key, each in self._staying.items() if key not in keys]
        for loaded in others:  # all before the first wait: others may do the same meanwhile
            self._leave_for_good(loaded)
        async with AsyncExitStack() as stack:  # all go, also where who asked is given up meanwhile
            for loaded in others:
                if not loaded.users:
                    stack.push_async_callback(self._drop, loaded)

    def _longest_unused(self) -> Loaded | None:
        return next((loaded for loaded in self._staying.values() if not loaded.users), None)

    def _leave_for_good(self, loaded: Loaded) -> None:
        assert loaded.key is not None
        del self._staying[loaded.key]
        loaded.key = None
        self._leases.unused -= loaded.users == 0

    async def _drop(self, loaded: Loaded) -> None:
        """Unload; ids are never reused, so one that stays costs memory and no answer."""
        try:
            await self._engine.drop(loaded.adapter)
        except EngineError as error:
            logger.warning("adapter %s was not unloaded: %s", loaded.adapter.version, error)
        finally:
            self._leases.give_back(loaded.lease)

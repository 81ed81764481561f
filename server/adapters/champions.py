"""The distilled adapters of all tenants, in the few places that the engine has for them.

Each tenant has a champion of its own, and is served with no other. Where there are more champions
than places, those asked for are loaded, and the ones that were not asked for longest make room; of
those that are asked for all the time, the one that was served for longest.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from adaptation.engine import Engine
from adaptation.errors import EngineError, ModelGoneError
from adaptation.learning.leases import AdapterLeases
from adaptation.types import Adapter
from memory.errors import WhetMemoryError
from memory.versions.adapters import AdapterRegistry
from memory.versions.model_names import is_model_name
from server.adapters.champion import CHAMPION, Champion, Served
from server.adapters.fetching import threads_to_fetch
from server.adapters.versioned import alias_asked, version_asked, version_of
from server.adapters.way import PATIENCE_S, Way
from server.config import DEFAULT_TENANT
from server.tenancy.principal import in_name_of
from server.waiting import set_within

logger = logging.getLogger(__name__)

WAIT_S = 30.0
"""For a place, when requests use all of them."""
IN_USE = (
    "requests of other tenants use every place for distilled adapters: try again, or serve with a "
    "larger --max-champions"
)


class Champions:
    """Follows every tenant's champion."""

    def __init__(
        self, model: str, registry: AdapterRegistry, engine: Engine, places: AdapterLeases
    ) -> None:
        """`model` is the base that is served; nobody else takes of `places`."""
        self._model, self._registry, self._engine = model, registry, engine
        self._places, self._threads = places, threads_to_fetch()
        self._champions: dict[Served, Champion] = {}
        self._wanted: Mapping[Served, str] = {}
        """The version that each tenant with a champion is to be served with."""
        self._unread: str | None = None
        self._asked_at: dict[Served, float] = {}
        self._turns: defaultdict[Served, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._fetches: dict[Served, asyncio.Task[None]] = {}
        self._way = Way[Served]()
        self._freed = asyncio.Event()
        """Set when a place is freed, then replaced by a new one, so that no waiter misses it."""

    def of(self, tenant: str, alias: str = CHAMPION) -> Champion:
        """Return what follows one tenant's champion, or a fine-tuned model of its own."""
        return self._of(Served(tenant, alias))

    def _of(self, served: Served) -> Champion:
        if served not in self._champions:
            self._champions[served] = made = Champion(
                served.tenant,
                self._model,
                self._registry,
                self._engine,
                self._places,
                self._make_room,
                served.alias,
                self._threads,
            )
            if served.alias != CHAMPION:
                made.stay_away()  # it is loaded for those who ask for it
        return self._champions[served]

    @property
    def problem(self) -> str | None:
        """Why what the default tenant is served with may not be what the registry says."""
        return self._unread or self.of(DEFAULT_TENANT).problem

    def loaded(self) -> list[str]:
        """Return the names of what the engine has: ids of versions, and what clients call them."""
        held = ((served, each.adapter) for served, each in list(self._champions.items()))
        there = ((served, adapter.version) for served, adapter in held if adapter is not None)
        return sorted({name for each in there for name in _names(*each)})

    def awaited(self) -> list[str]:
        """Return the names of what requests wait for."""
        fetches = list(self._fetches.items())
        under_way = (served for served, task in fetches if not task.done())
        return sorted({n for each in under_way for n in _names(each, self._wanted.get(each))})

    def version(self, tenant: str) -> str | None:
        """Return which version a tenant is served with, or will be once it has a place."""
        served = Served(tenant)
        champion = self._champions.get(served)
        adapter = champion.adapter if champion else None
        return adapter.version if adapter else self._wanted.get(served)

    @asynccontextmanager
    async def use(self, tenant: str, model: str | None = None) -> AsyncIterator[Adapter | None]:
        """Hold a tenant's champion, or its fine-tuned `model`: it stays loaded until the block
        ends.

        Raises `EngineError` where all places stay in use, or the model cannot be loaded, and
        `ModelGoneError` where it is there no more.
        """
        served = Served(tenant, alias_asked(model or CHAMPION))
        if model is None and served not in self._wanted and served not in self._champions:
            yield None
            return
        self._asked_at[served] = time.monotonic()
        champion = self._of(served)
        if model is not None and champion.adapter is None:
            champion.stay_away()  # it is loaded for whoever asks for it
        while self._must_wait(served):
            await asyncio.shield(self._fetch_under_way(served, champion))
        if model is not None and champion.adapter is None:
            raise await self._why_missing(served, model)
        try:
            with champion.use() as adapter:
                yield adapter
        finally:
            self._tell_freed()

    async def _why_missing(self, served: Served, model: str) -> EngineError:
        """Return why a model is not served; that it is gone goes before what was wrong with it."""
        named = served.tenant, self._model, served.alias
        try:
            version = await asyncio.to_thread(version_of, self._registry, *named)
        except WhetMemoryError as error:
            return EngineError(f"the registry cannot be read: {error}")
        if version is None:
            return ModelGoneError(_gone(model))
        return EngineError(self._of(served).problem or f"{model} has just changed: try again")

    async def follow(self, poll_s: float) -> None:
        """Keep up with the registry until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(poll_s)

    async def refresh(self) -> None:
        """Serve what the registry says now; of those nobody asks for, as many as have a place."""
        try:
            found = await asyncio.to_thread(self._registry.champions)
            self._wanted = {Served(tenant): version for tenant, version in found.items()}
            self._unread = None
        except WhetMemoryError as error:
            self._unread = f"the registry cannot be read: {error}"
        except Exception as error:  # nobody awaits what follows the registry: it must not die
            if self._unread is None:
                logger.exception("the champions could not be looked up; it is tried again")
            self._unread = f"the registry cannot be read: {error or type(error).__name__}"
        for served in sorted({*self._champions, *self._wanted}):
            await self._look_after(served, self._of(served))
        self._tell_freed()

    async def reload(self) -> None:
        """Put what is served into an engine that was started anew."""
        for served, champion in list(self._champions.items()):
            async with self._turns[served]:
                with in_name_of(served.tenant):
                    await champion.reload()

    async def _look_after(self, served: Served, champion: Champion) -> None:
        turn = self._turns[served]
        if turn.locked():  # a request waits for it, and looks whenever a place may be free
            return
        if champion.adapter is None and served.alias != CHAMPION:
            champion.try_again()
            return
        is_served_plain = champion.adapter is None and champion.problem is None
        if is_served_plain and served in self._wanted and not self._places.free:
            champion.stay_away()
            return
        async with turn:
            with in_name_of(served.tenant):
                await champion.refresh()

    def _fetch_under_way(self, served: Served, champion: Champion) -> asyncio.Task[None]:
        """Return what all requests for it wait for; no client that leaves cuts it short."""
        under_way = self._fetches.get(served)
        if under_way is None or under_way.done():
            self._fetches[served] = under_way = asyncio.create_task(self._fetch(served, champion))
        return under_way

    async def _fetch(self, served: Served, champion: Champion) -> None:
        """Load an adapter that had to make room for others."""
        give_up_at = time.monotonic() + WAIT_S
        async with self._turns[served]:
            with self._way.waited_for(served):
                while self._must_wait(served):
                    freed = self._freed
                    if champion.is_away:
                        with in_name_of(served.tenant):
                            await champion.refresh()
                    if self._must_wait(served):
                        self._way.ask(self._held_since())
                        await _until(freed, give_up_at, champion.problem or IN_USE)
        self._tell_freed()  # who made way for it need not any more

    def _must_wait(self, served: Served) -> bool:
        """Whether the next request has to wait for a place."""
        return self._of(served).is_away or self._way.is_made_by(served)

    def _held_since(self) -> dict[Served, float]:
        found = ((served, each.held_since) for served, each in self._champions.items())
        return {served: since for served, since in found if since is not None}

    def _tell_freed(self) -> None:
        self._freed.set()
        self._freed = asyncio.Event()

    async def _make_room(self, newcomer: Served) -> None:
        """Unload what nobody uses any more, else another adapter that nobody uses now and nobody
        has asked for longest.
        """
        for each in list(self._champions.values()):
            await each.drop_unused()
        others = (item for item in self._champions.items() if item[0] != newcomer)
        idle = [served for served, each in others if each.is_idle]
        if idle and not self._places.free:
            leaving = min(idle, key=self._turn_to_leave)
            await self._champions[leaving].leave()
            self._way.left(leaving)

    def _turn_to_leave(self, served: Served) -> tuple[bool, float]:
        return not self._way.is_made_by(served), self._asked_at.get(served, 0.0)


def _gone(model: str) -> str:
    """Say of a fine-tuned model, of a generation, or of an alias that it is there no more."""
    if is_model_name(model):
        return f"`model` {model} does not exist any more: it was deleted"
    if version_asked(model):
        return f"`model` {model} is not served any more: it was rejected or retired"
    return f"no version is the {model} any more"


def _names(served: Served, version: str | None) -> list[str]:
    """Return what is told of an adapter; a fine-tuned model is asked for by its name."""
    known = version, served.alias if is_model_name(served.alias) else None
    return [name for name in known if name]


async def _until(freed: asyncio.Event, give_up_at: float, why: str) -> None:
    """Wait for a place that may be free, but not for longer than somebody has patience."""
    left_s = give_up_at - time.monotonic()
    if left_s <= 0:
        raise EngineError(why)
    await set_within(freed, min(left_s, PATIENCE_S))

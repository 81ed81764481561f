"""Serving the distilled adapter: notice a promotion, load it, swap, retire the old one.

The database says who the champion is; this follows it, so that `whet distill` in another process
and a rollback over HTTP reach a running server alike, without a restart.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from adaptation.engine import Engine
from adaptation.errors import EngineError
from adaptation.learning.leases import AdapterLeases, Lease
from adaptation.learning.probing import check_applied
from adaptation.types import Adapter
from memory.errors import WhetMemoryError
from memory.threads import Threads
from memory.types import AdapterVersion
from memory.versions.adapters import AdapterRegistry
from server.adapters.fetching import Fetching, threads_to_fetch
from server.adapters.versioned import version_of

logger = logging.getLogger(__name__)

CHAMPION = "champion"
"""The alias of what a tenant is served with that asks for no model of its own."""


class Served(NamedTuple):
    """The tenant and the alias of an adapter that is served: a champion, or a fine-tuned model."""

    tenant: str
    alias: str = CHAMPION


MakeRoom = Callable[[Served], Awaitable[None]]
MOST_SKIPPED = 63
"""Looks between two tries of a champion that cannot be loaded: five minutes, of 5 s each."""


class NoPlaceError(EngineError):
    """Every place for a distilled adapter is in use."""


class FetchingError(EngineError):
    """The files of an adapter are on their way: what is served stays until they are here."""


@dataclass(frozen=True)
class Held:
    """A champion in the engine, under a leased name for as long as any request uses it."""

    adapter: Adapter
    lease: Lease
    since: float = field(default_factory=time.monotonic)
    """Monotonic seconds."""


@dataclass
class Refusal:
    """A champion that could not be served, and when it is tried again."""

    version: str
    message: str
    failures: int
    skip: int
    """Looks at the registry that go by before the next try."""

    def __post_init__(self) -> None:
        self.skip = min(self.skip, MOST_SKIPPED)

    def waits(self) -> bool:
        """Count a look, and say whether the next try is still to come."""
        self.skip -= 1
        return self.skip >= 0


class Champion:
    """Follows the champion of one tenant."""

    def __init__(
        self,
        tenant: str,
        model: str,
        registry: AdapterRegistry,
        engine: Engine,
        leases: AdapterLeases,
        make_room: MakeRoom | None = None,
        alias: str = CHAMPION,
        threads: Threads | None = None,
    ) -> None:
        """`model` is the base that is served: an adapter of another one would load and mislead.

        `alias` is what the registry calls the version that is served with it.
        `leases` are of no use to anybody else: with two places a champion and its successor never
        wait for a request's adapter, nor the other way round. `make_room` is asked for a place
        where none is free. `threads` are those of `threads_to_fetch`, which others may share.
        """
        self._tenant = tenant
        self._model = model
        self._registry = registry
        self._engine = engine
        self._leases = leases
        self._make_room = make_room
        self._alias = alias
        self._level = logging.WARNING if alias == CHAMPION else logging.ERROR  # no stand-in then
        self._fetching = Fetching(registry, threads or threads_to_fetch())
        self._had_to_leave = False
        self._held: Held | None = None
        self._users: Counter[int] = Counter()
        self._retired: dict[int, Held] = {}
        self._unread: str | None = None
        self._refusal: Refusal | None = None

    @property
    def adapter(self) -> Adapter | None:
        """What new requests are served with."""
        return self._held.adapter if self._held else None

    @property
    def problem(self) -> str | None:
        """Why what is served may not be what the registry says."""
        return self._unread or (self._refusal.message if self._refusal else None)

    @property
    def held_since(self) -> float | None:
        """The monotonic second in which it got its place, None without one."""
        return self._held.since if self._held else None

    @property
    def is_idle(self) -> bool:
        """Whether it holds a place and no request uses it."""
        return self._held is not None and not self._users[self._held.adapter.id]

    @property
    def is_away(self) -> bool:
        """Whether it is not loaded for want of a place, and for nothing else."""
        return self._held is None and self._had_to_leave and self._refusal is None

    def stay_away(self) -> None:
        """Wait to be asked for: there is no place."""
        self._had_to_leave = True

    def try_again(self) -> None:
        """Be loaded for who asks for it next, whatever was in its way."""
        self._had_to_leave, self._refusal = True, None

    async def leave(self) -> None:
        """Make room for another tenant's."""
        held, self._held = self._held, None
        if held is not None:
            self._had_to_leave = True
            await self._retire(held)

    async def drop_unused(self) -> None:
        """Unload what was followed by another and is used by no request any more."""
        for number in [number for number in self._retired if not self._users[number]]:
            if (held := self._retired.pop(number, None)) is not None:
                await self._retire(held)

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

    async def refresh(self) -> None:
        """Serve the registry's present champion; on any fault go on serving what is served."""
        try:
            await self.drop_unused()
            named = self._tenant, self._model, self._alias
            version = await asyncio.to_thread(version_of, self._registry, *named)
            self._unread = None
            await self._pursue(version)
        except WhetMemoryError as error:
            self._unread = f"the registry cannot be read: {error}"
        # Nobody awaits the task that follows the registry: whatever it died of would never be
        # seen, and no promotion or rollback would reach this server any more.
        except Exception as error:
            if self._unread is None:
                logger.exception("the champion could not be read or loaded; it is tried again")
            self._unread = f"the champion cannot be read: {error or type(error).__name__}"

    async def reload(self) -> None:
        """Load what is served into an engine that was started anew.

        vLLM would do so by itself at the first request, and die where the files are not whole: what
        cannot be loaded is served no longer, and tried again as ever.
        """
        self._refusal = None
        if (held := self._held) is None:
            return
        try:
            await self._engine.load(held.adapter)
        except EngineError as error:
            words = "%s %s was not loaded again: %s"
            logger.log(self._level, words, self._alias, held.adapter.version, error)
            self._held = None
            await self._retire(held)

    async def _pursue(self, version: AdapterVersion | None) -> None:
        """Serve `version`, unless it is served; one that was refused is tried more and more rarely.

        Until it can be loaded, what is served stays.
        """
        wanted, served = version and version.id, self.adapter and self.adapter.version
        if self._refusal is not None and self._refusal.version != wanted:
            self._refusal = None
        if wanted is None:
            self._had_to_leave = False
        if wanted == served or (self._refusal is not None and self._refusal.waits()):
            return
        fresh: Held | None = None
        if version is not None:
            try:
                fresh = await self._load(version)
            except NoPlaceError as error:
                if self.adapter is not None or self._make_room is None:
                    self._note(version, error)
                else:
                    self._refusal = None
                return
            except FetchingError as error:
                self._refusal, self._unread = None, str(error)
                return
            except (EngineError, OSError) as error:
                self._note(version, error)
                return
        self._refusal = None
        old, self._held = self._held, fresh
        if old is not None:
            self._retired[old.adapter.id] = old
        logger.info("now serving %s", fresh.adapter.version if fresh else "the base")

    def _note(self, version: AdapterVersion, error: Exception) -> None:
        message = f"{self._alias} {version.id} cannot be served: {error}"
        if self._alias == CHAMPION:
            message += f"; {self.adapter.version if self.adapter else 'the base'} is served instead"
        if self._refusal is None or self._refusal.message != message:
            logger.log(self._level, "%s", message)
        failures = self._refusal.failures + 1 if self._refusal else 1
        self._refusal = Refusal(version.id, message, failures, skip=2 ** (failures - 1) - 1)

    async def _load(self, version: AdapterVersion) -> Held:
        if version.base_model != self._model:
            again = f" (`whet rebase --model {self._model}` trains it anew)"
            advice = again if self._alias == CHAMPION else ""
            raise EngineError(
                f"it was trained for {version.base_model}, not for {self._model}{advice}"
            )
        are_there = await self._fetching.are_there(version)
        if are_there is None:
            raise FetchingError(f"{self._alias} {version.id} is being fetched")
        if not are_there:
            raise EngineError("its files are missing or damaged")
        lease = await self._place()
        adapter = Adapter(
            name=lease.name, id=lease.id, path=version.path, version=version.id, rank=version.rank
        )
        held = Held(adapter, lease)
        try:
            await self._engine.load(adapter)
            await check_applied(self._engine, adapter, None)
        except BaseException:  # one that failed or was given up half-way may be in the engine
            await self._retire(held)
            raise
        return held

    async def _place(self) -> Lease:
        """Take a place, without a wait: what would be waited for is dropped by the next look."""
        if not self._leases.free and self._make_room is not None:
            await self._make_room(Served(self._tenant, self._alias))
        lease = self._leases.take()
        if lease is None:
            self._had_to_leave = self._held is None
            raise NoPlaceError("requests still use those that are loaded")
        self._had_to_leave = False
        return lease

    async def _retire(self, held: Held) -> None:
        try:
            await self._engine.drop(held.adapter)
        except EngineError as error:
            logger.warning("adapter %s was not unloaded: %s", held.adapter.version, error)
        self._leases.release(held.lease)
        del self._users[held.adapter.id]

"""What moves the names of adapter versions, and whether they hang together after a kill."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.learning.leases import AdapterLeases
from loadtests.torture.place import opened
from loadtests.torture.small_adapter import MODEL, write_adapter
from memory.errors import ConflictError
from memory.memory import LongTermMemory
from memory.store.artifacts import Artifacts
from memory.store.schema import loose_artifact
from memory.store.scope import EVERYONE
from memory.types import AdapterVersion
from memory.versions.adapter_files import hash_files, identify
from memory.versions.adapter_shelf import AdapterShelf
from memory.versions.adapters import AdapterRegistry, NewVersion
from memory.versions.release import TRIED, UNAPPROVED, Stage
from server.adapters.champions import Champions

FIRST = (Stage.SUGGESTED, Stage.WAITING, Stage.SHADOW, Stage.SHARE, Stage.ALL, None)
"""How a version begins; None: refused."""
SERVED = (Stage.ALL, Stage.KEPT)


def shared_of(folder: Path) -> Path:
    """Return where replicas of the server with this folder would share files."""
    return folder.with_name(f"{folder.name}-shared")


class Releasing:
    """One process's moves, by a seed."""

    def __init__(
        self, folder: Path, url: str | None, tenants: list[str], seed: int, tell: Callable[..., Any]
    ) -> None:
        self._folder, self._tenants, self._seed, self._tell = folder, tenants, seed, tell
        self._random, self._number = random.Random(seed), 0
        self._memory = opened(folder, url, shared_of(folder))
        self._registry = self._memory.adapters

    def go_on(self) -> None:
        """Move, without an end."""
        moves = (self._register, self._approve, self._advance, self._promote)
        back = (self._rollback, self._take_back, self._reset)
        while True:
            tenant = self._random.choice(self._tenants)
            self._random.choice((*moves, *moves, *back))(tenant)

    def _register(self, tenant: str) -> None:
        self._number += 1
        folder = self._folder / f"trained-{self._seed}"
        write_adapter(folder, self._seed * 1_003 + self._number)
        stage = self._random.choice(FIRST)
        begun = {"stage": stage} if stage else {"rejected": "no better"}
        new = NewVersion(tenant=tenant, base_model=MODEL, rank=4, **begun)
        made = identify(tenant, MODEL, hash_files(folder))
        to = made if stage is Stage.ALL else self._now(tenant)
        self._told(tenant, to, lambda: self._registry.register(folder, new))

    def _approve(self, tenant: str) -> None:
        found = self._candidate(tenant)
        stage = self._random.choice((Stage.SHADOW, Stage.SHARE, Stage.ALL))
        to = found.id if stage is Stage.ALL else self._now(tenant)
        self._told(tenant, to, lambda: self._registry.approve(tenant, found.id, stage))

    def _advance(self, tenant: str) -> None:
        found = self._candidate(tenant)
        since, to = self._random.choice(((Stage.SHADOW, Stage.SHARE), (Stage.SHARE, Stage.ALL)))
        goes = to is Stage.ALL and self._memory.releases.of(tenant, found.id)[-1].stage is since
        self._told(
            tenant,
            found.id if goes else self._now(tenant),
            lambda: self._registry.advance(tenant, found.id, since, to, "it helped"),
        )

    def _promote(self, tenant: str) -> None:
        found = self._candidate(tenant)
        self._told(tenant, found.id, lambda: self._registry.promote(tenant, found.id))

    def _rollback(self, tenant: str) -> None:
        to = self._now(tenant, "previous") or self._now(tenant)
        self._told(tenant, to, lambda: self._registry.rollback(tenant))

    def _take_back(self, tenant: str) -> None:
        champion, found = self._now(tenant), self._candidate(tenant)
        if champion is None or self._random.random() < 0.5:
            stage = self._memory.releases.of(tenant, found.id)[-1].stage
            taken = lambda: self._registry.take_back(tenant, found.id, stage, "it hurt")  # noqa: E731
            self._told(tenant, champion, taken)
            return
        at = self._memory.releases.of(tenant, champion)[-1].stage
        to = self._now(tenant, "previous")
        self._told(tenant, to, lambda: self._registry.take_back(tenant, champion, at, "it hurt"))

    def _reset(self, tenant: str) -> None:
        self._told(tenant, None, lambda: self._registry.reset(tenant))

    def _candidate(self, tenant: str) -> AdapterVersion:
        while True:
            found = self._registry.alias(tenant, "candidate")
            if found is not None:
                return found
            self._register(tenant)

    def _now(self, tenant: str, name: str = "champion") -> str | None:
        found = self._registry.alias(tenant, name)
        return found.id if found else None

    def _told(self, tenant: str, to: str | None, act: Callable[[], Any]) -> None:
        """Say which champion there will be, act, and say which there is."""
        self._tell(tried="point", tenant=tenant, to=to)
        try:
            act()
        except ConflictError:  # of a stage that cannot go on so
            self._tell(done="refused", tenant=tenant)
            return
        self._tell(done="point", tenant=tenant, to=self._now(tenant))


def release_faults(memory: LongTermMemory, tenants: list[str], folder: Path) -> list[str]:
    """Compare names, steps, files and what is shared; and have a server begin with them."""
    replica = AdapterShelf(folder / "replica", Artifacts(shared_of(folder).as_uri()))
    found = [fault for tenant in tenants for fault in _torn(memory, tenant)]
    found += _unknown(memory, tenants, shared_of(folder))
    for tenant in tenants:
        for name in ("champion", "candidate", "previous"):
            version = memory.adapters.alias(tenant, name)
            if version is not None and not _whole(memory.adapters, version, replica):
                found.append(f"the files of the {name} of {tenant} are not whole everywhere")
    return found + asyncio.run(_unserved(memory, tenants, folder))


def _torn(memory: LongTermMemory, tenant: str) -> Iterator[str]:
    registry = memory.adapters
    named = {name: registry.alias(tenant, name) for name in ("champion", "candidate", "previous")}
    versions = registry.list(tenant)
    if sorted(v.number or 0 for v in versions) != list(range(1, len(versions) + 1)):
        yield f"the numbers of {tenant} are not 1 to {len(versions)}"
    for version in versions:
        steps = memory.releases.of(tenant, version.id)
        stage = steps[-1].stage if steps else None
        names = {name for name, each in named.items() if each and each.id == version.id}
        if (
            ("champion" in names and stage not in SERVED)
            or ("candidate" in names and stage not in (*TRIED, Stage.WAITING))
            or ("candidate" not in names and stage in (*TRIED, Stage.WAITING))
            or (version.rejected is not None and (stage is not Stage.BACK or names))
            or (stage in UNAPPROVED and "champion" in names)
        ):
            yield f"{version.id} of {tenant} is {names or 'nothing'} at the stage {stage}"


def _unknown(memory: LongTermMemory, tenants: list[str], shared: Path) -> list[str]:
    """Return what is shared and would stay for ever: no version has it, and it is not noted."""
    registry = memory.adapters
    known = {registry.digest(each) for tenant in tenants for each in registry.list(tenant)}
    with memory._database.reading(EVERYONE) as connection:
        known.update(connection.execute(select(loose_artifact.c.content_hash)).scalars())
    left = {path.name.partition(".")[0] for path in shared.glob("*")} - known
    return [f"nobody knows {digest} of what is shared" for digest in sorted(left)]


def _whole(registry: AdapterRegistry, version: AdapterVersion, replica: AdapterShelf) -> bool:
    return registry.files_ok(version) and replica.holds(version.id, registry.digest(version))


async def _unserved(memory: LongTermMemory, tenants: list[str], folder: Path) -> list[str]:
    """Begin as a server does; what it serves is what the registry says."""
    engine, places = FakeEngine(lambda query, draw: Reply("1")), AdapterLeases(4, root=folder)
    champions = Champions(MODEL, memory.adapters, engine, places)
    await champions.refresh()
    wanted = memory.adapters.champions()
    held = {tenant: champions.of(tenant).adapter for tenant in tenants}
    return [
        f"{tenant} is served with {held[tenant]}, not with {wanted.get(tenant)}"
        for tenant in tenants
        if (held[tenant].version if held[tenant] else None) != wanted.get(tenant)
    ]

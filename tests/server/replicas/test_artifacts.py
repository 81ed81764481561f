"""An artifact store that is slow, or gone: champions are late, and nothing else is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.learning.leases import AdapterLeases
from memory.embedding.hashing import HashingEmbedder
from memory.errors import StorageUnavailableError
from memory.memory import LongTermMemory
from memory.store.artifacts import Artifacts
from memory.store.database import open_database
from memory.versions.adapters import AdapterRegistry
from server.adapters import fetching
from server.adapters.champions import Champions
from tests.server.registered import register

MODEL, SHARED = "whet-pebble", "slow://whet-replicas"


class Slow(fsspec.get_filesystem_class("memory")):  # type: ignore[misc]
    """An object store that answers when it may, or never."""

    protocol = "slow"
    answers = threading.Event()
    is_gone = False
    asked = 0
    """How often it was."""

    def exists(self, path: str, **more: object) -> bool:
        if self.is_gone:
            raise ConnectionError("no route to it")
        type(self).asked += 1
        self.answers.wait()
        return bool(super().exists(path, **more))


fsspec.register_implementation("slow", Slow, clobber=True)


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Slow]]:
    monkeypatch.setattr(fetching, "PATIENCE_S", 0.2)
    Slow.answers.set()
    Slow.is_gone = False
    yield Slow
    Slow.answers.set()
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def memory(data_dir: Path) -> Iterator[LongTermMemory]:
    """The memory of the replica that makes versions."""
    made = LongTermMemory.open(data_dir, HashingEmbedder(), artifacts=SHARED)
    yield made
    made.close()


@pytest.fixture
def elsewhere(data_dir: Path, tmp_path: Path) -> Iterator[AdapterRegistry]:
    """The versions as another replica has them: in a folder of its own."""
    database = open_database(data_dir)
    yield AdapterRegistry(database, tmp_path / "elsewhere", Artifacts(SHARED))
    database.close()


@pytest.fixture
def champions(elsewhere: AdapterRegistry, tmp_path: Path) -> Champions:
    """What that replica serves."""
    engine = FakeEngine(lambda query, draw: Reply("#### 1"))
    return Champions(MODEL, elsewhere, engine, AdapterLeases(4, root=tmp_path))


async def test_a_slow_store_delays_the_champions_it_holds_and_no_other(
    champions: Champions,
    memory: LongTermMemory,
    elsewhere: AdapterRegistry,
    store: type[Slow],
    tmp_path: Path,
) -> None:
    first, second = (register(memory, tmp_path, value) for value in (1.0, 2.0))
    quick = register(memory, tmp_path, 3.0, tenant="zoe")
    memory.adapters.promote("default", first.id)
    await until_served(champions, "default", first.id)
    memory.adapters.promote("default", second.id)
    assert elsewhere.files_ok(quick)
    memory.adapters.promote("zoe", quick.id)
    store.answers.clear()
    await until_served(champions, "zoe", quick.id)
    assert version_of(champions, "default") == first.id
    assert f"{second.id} is being fetched" in str(champions.problem)
    store.answers.set()
    await until_served(champions, "default", second.id)
    assert champions.problem is None


async def test_a_silent_store_takes_no_thread_that_others_need(
    champions: Champions, memory: LongTermMemory, store: type[Slow], tmp_path: Path
) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    versions = {name: register(memory, tmp_path, 1.0, tenant=name) for name in ("a", "b", "c")}
    for name, version in versions.items():
        memory.adapters.promote(name, version.id)
    store.answers.clear()
    try:
        async with asyncio.timeout(30):
            for name in versions:
                while "is being fetched" not in str(champions.of(name).problem):
                    await champions.refresh()
    finally:
        store.answers.set()
    for name, version in versions.items():
        await until_served(champions, name, version.id)
        assert champions.of(name).problem is None


async def test_a_fetch_that_takes_long_is_begun_once(
    champions: Champions, memory: LongTermMemory, store: type[Slow], tmp_path: Path
) -> None:
    version = register(memory, tmp_path, 1.0)
    memory.adapters.promote("default", version.id)
    store.answers.clear()
    before = store.asked
    for _ in range(5):
        await champions.refresh()
    assert store.asked - before == 1
    store.answers.set()
    await until_served(champions, "default", version.id)


async def test_a_store_that_is_gone_leaves_what_is_served_and_is_told(
    champions: Champions, memory: LongTermMemory, store: type[Slow], tmp_path: Path
) -> None:
    first, second = (register(memory, tmp_path, value) for value in (1.0, 2.0))
    memory.adapters.promote("default", first.id)
    await until_served(champions, "default", first.id)
    memory.adapters.promote("default", second.id)
    store.is_gone = True
    while "no route to it" not in str(champions.problem):
        await champions.refresh()
    assert version_of(champions, "default") == first.id
    store.is_gone = False
    await until_served(champions, "default", second.id)


def test_a_version_that_cannot_be_shared_is_not_acknowledged(
    memory: LongTermMemory, store: type[Slow], tmp_path: Path
) -> None:
    store.is_gone = True
    with pytest.raises(StorageUnavailableError, match="cannot be used"):
        register(memory, tmp_path, 1.0)
    assert memory.adapters.list("default") == []


def version_of(champions: Champions, tenant: str) -> str | None:
    adapter = champions.of(tenant).adapter
    return adapter.version if adapter else None


async def until_served(champions: Champions, tenant: str, version: str) -> None:
    async with asyncio.timeout(30):
        while version_of(champions, tenant) != version:
            await champions.refresh()

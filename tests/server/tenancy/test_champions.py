"""Every tenant is served with its own champion, however few places there are."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from adaptation.errors import EngineError, ModelGoneError
from adaptation.fake_engine import FakeEngine, Reply
from adaptation.learning.leases import AdapterLeases
from adaptation.learning.training.adapter_files import WEIGHTS
from adaptation.types import Adapter
from memory.embedding.embedder import create_embedder
from memory.errors import StorageUnavailableError
from memory.memory import LongTermMemory
from server.adapters import champions as module
from server.adapters import way
from server.adapters.champions import Champions
from tests.server.registered import register

MODEL, TUNED = "whet-pebble", "ft:whet-pebble:whet:lamps:1"


@pytest.fixture
def memory(data_dir: Path) -> Iterator[LongTermMemory]:
    memory = LongTermMemory.open(data_dir, create_embedder("hashing"))
    yield memory
    memory.close()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(lambda query, draw: Reply("#### 1"))


@pytest.fixture
def champions(memory: LongTermMemory, engine: FakeEngine, tmp_path: Path) -> Champions:
    return Champions(MODEL, memory.adapters, engine, AdapterLeases(2, root=tmp_path))


def promote(memory: LongTermMemory, folder: Path, tenant: str, value: float = 1.0) -> str:
    """Give a tenant a champion of its own, and return its version."""
    registered = register(memory, folder, ord(tenant[0]) + value, tenant=tenant)
    memory.adapters.promote(tenant, registered.id)
    return registered.id


async def served(champions: Champions, tenant: str) -> str | None:
    async with champions.use(tenant) as adapter:
        return adapter and adapter.version


async def test_a_tenant_is_served_with_its_own_and_with_no_others(
    champions: Champions, memory: LongTermMemory, tmp_path: Path
) -> None:
    own = promote(memory, tmp_path, "acme")
    await champions.refresh()
    assert await served(champions, "acme") == own
    assert await served(champions, "globex") is None
    assert await served(champions, "default") is None


async def test_more_tenants_than_places_take_turns(
    champions: Champions, memory: LongTermMemory, engine: FakeEngine, tmp_path: Path
) -> None:
    names = ["acme", "globex", "initech", "umbrella"]
    own = {name: promote(memory, tmp_path, name) for name in names}
    await champions.refresh()
    for _ in range(3):
        for name in names:
            assert await served(champions, name) == own[name]
        await champions.refresh()
    assert not engine.dead


async def test_many_requests_of_many_tenants_at_once_get_their_own(
    champions: Champions, memory: LongTermMemory, engine: FakeEngine, tmp_path: Path
) -> None:
    names = ["acme", "globex", "initech"]
    own = {name: promote(memory, tmp_path, name) for name in names}
    await champions.refresh()

    async def request(name: str) -> None:
        async with champions.use(name) as adapter:
            assert adapter is not None
            assert adapter.version == own[name]
            await asyncio.sleep(0)

    await asyncio.gather(*(request(name) for name in names * 20))
    assert not engine.dead


async def test_one_that_is_in_use_is_not_put_out_and_whoever_waits_in_vain_is_told(
    champions: Champions, memory: LongTermMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {name: promote(memory, tmp_path, name) for name in ("acme", "globex", "initech")}
    await champions.refresh()
    async with AsyncExitStack() as stack:
        for name in ("acme", "globex"):
            await stack.enter_async_context(champions.use(name))
        monkeypatch.setattr(module, "WAIT_S", 0.05)
        with pytest.raises(EngineError, match="--max-champions"):
            await served(champions, "initech")
        monkeypatch.setattr(module, "WAIT_S", 10.0)
        waiting = asyncio.create_task(served(champions, "initech"))
        await asyncio.sleep(0)
        assert not waiting.done()
    assert await waiting == own["initech"]


async def test_a_promotion_makes_room_by_what_others_do_not_use(
    champions: Champions, memory: LongTermMemory, tmp_path: Path
) -> None:
    for name in ("acme", "globex"):
        promote(memory, tmp_path, name)
    await champions.refresh()
    better = promote(memory, tmp_path, "acme", 2.0)
    await champions.refresh()
    assert await served(champions, "acme") == better
    assert await served(champions, "globex") is not None


async def test_a_champion_that_is_reset_is_gone_though_it_was_away(
    champions: Champions, memory: LongTermMemory, tmp_path: Path
) -> None:
    for name in ("acme", "globex", "initech"):
        promote(memory, tmp_path, name)
    await champions.refresh()
    for name in ("acme", "globex", "initech"):
        await served(champions, name)
    memory.adapters.reset("acme")
    await champions.refresh()
    assert await served(champions, "acme") is None


async def test_one_that_was_put_out_and_cannot_come_back_is_the_base_at_once(
    champions: Champions, memory: LongTermMemory, tmp_path: Path
) -> None:
    names = ("acme", "globex", "initech")
    for name in names:
        promote(memory, tmp_path, name)
    await champions.refresh()
    for name in ("initech", "globex"):
        await served(champions, name)
    (away,) = (name for name in names if champions.of(name).adapter is None)
    promoted = memory.adapters.alias(away, "champion")
    assert promoted is not None
    (Path(promoted.path) / WEIGHTS).unlink()
    async with asyncio.timeout(10):
        for _ in range(3):
            assert await served(champions, away) is None
            await champions.refresh()
    assert "missing or damaged" in str(champions.of(away).problem)


@pytest.mark.parametrize("is_deleted", [True, False])
async def test_a_model_that_could_not_be_loaded_is_gone_once_it_is_deleted(
    champions: Champions, memory: LongTermMemory, tmp_path: Path, *, is_deleted: bool
) -> None:
    version = register(memory, tmp_path, 1.0, tenant="acme", name=TUNED)
    (Path(version.path) / WEIGHTS).unlink()
    with pytest.raises(EngineError, match="missing or damaged"):
        async with champions.use("acme", TUNED):
            pass
    if is_deleted:
        memory.models.remove("acme", TUNED)
    with pytest.raises(EngineError, match="deleted" if is_deleted else "missing") as refused:
        async with champions.use("acme", TUNED):
            pass
    assert isinstance(refused.value, ModelGoneError) == is_deleted


async def test_what_is_gone_is_told_as_what_it_was(
    champions: Champions, memory: LongTermMemory, tmp_path: Path
) -> None:
    told = {
        TUNED: f"`model` {TUNED} does not exist any more: it was deleted",
        "whet-pebble@1": "`model` whet-pebble@1 is not served any more: it was rejected or retired",
        "candidate": "no version is the candidate any more",
    }
    for model, words in told.items():
        with pytest.raises(ModelGoneError, match=f"^{re.escape(words)}$"):
            async with champions.use("acme", model):
                pass


async def test_a_model_is_not_called_gone_where_nobody_can_tell(
    champions: Champions, memory: LongTermMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = register(memory, tmp_path, 1.0, tenant="acme", name=TUNED)
    (Path(version.path) / WEIGHTS).unlink()
    with pytest.raises(EngineError, match="missing or damaged"):
        async with champions.use("acme", TUNED):
            pass

    def unread(*_: str) -> None:
        raise StorageUnavailableError("the disk is away")

    monkeypatch.setattr(memory.adapters, "alias", unread)
    with pytest.raises(EngineError, match="the registry cannot be read") as refused:
        async with champions.use("acme", TUNED):
            pass
    assert not isinstance(refused.value, ModelGoneError)


async def test_a_client_that_leaves_while_room_is_made_costs_no_place(
    champions: Champions,
    memory: LongTermMemory,
    engine: FakeEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("acme", "globex", "initech")
    own = {name: promote(memory, tmp_path, name) for name in names}
    await champions.refresh()
    (away,) = (name for name in names if champions.of(name).adapter is None)
    drop, dropping, may_drop = engine.drop, asyncio.Event(), asyncio.Event()

    async def slow_drop(adapter: Adapter) -> None:
        dropping.set()
        await may_drop.wait()
        await drop(adapter)

    monkeypatch.setattr(engine, "drop", slow_drop)
    for _ in range(3):
        dropping.clear()
        leaving = asyncio.create_task(served(champions, away))
        await asyncio.wait([leaving, asyncio.create_task(dropping.wait())], timeout=1)
        leaving.cancel()
        await asyncio.wait([leaving])
    may_drop.set()
    async with asyncio.timeout(10):
        for name in names:
            assert await served(champions, name) == own[name]


async def test_the_place_of_what_was_replaced_is_free_as_soon_as_nobody_uses_it(
    champions: Champions, memory: LongTermMemory, tmp_path: Path
) -> None:
    own = {name: promote(memory, tmp_path, name) for name in ("acme", "globex", "initech")}
    await champions.refresh()
    async with champions.use("globex"):
        async with champions.use("acme"):
            waiting = asyncio.create_task(served(champions, "initech"))
            memory.adapters.reset("acme")
            await champions.refresh()
            assert await served(champions, "acme") is None
            await asyncio.sleep(0.05)
            assert not waiting.done()
        async with asyncio.timeout(10):  # long before the next look at the registry
            assert await waiting == own["initech"]


async def test_all_who_wait_see_every_place_that_is_freed(
    champions: Champions, memory: LongTermMemory, tmp_path: Path
) -> None:
    names = ("acme", "globex", "initech", "umbrella")
    own = {name: promote(memory, tmp_path, name) for name in names}
    await champions.refresh()
    held = [name for name in names if champions.of(name).adapter is not None]
    away = [name for name in names if name not in held]
    async with AsyncExitStack() as stack:
        for name in held:
            await stack.enter_async_context(champions.use(name))
        waiting = [asyncio.create_task(served(champions, name)) for name in away]
        await asyncio.sleep(0.05)
    async with asyncio.timeout(10):
        assert await asyncio.gather(*waiting) == [own[name] for name in away]


@pytest.mark.parametrize("fault", [RuntimeError("a defect"), StorageUnavailableError("no disk")])
async def test_a_registry_that_fails_is_told_of_and_followed_on(
    champions: Champions,
    memory: LongTermMemory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
) -> None:
    own = promote(memory, tmp_path, "acme")

    def failing() -> dict[str, str]:
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(memory.adapters, "champions", failing)
        following = asyncio.create_task(champions.follow(0.001))
        async with asyncio.timeout(20):
            while champions.problem is None:  # noqa: ASYNC110 - set by a task without an event
                await asyncio.sleep(0.001)
        assert str(fault) in champions.problem
    async with asyncio.timeout(20):
        while await served(champions, "acme") != own:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert not following.done()
    following.cancel()


async def test_tenants_that_are_never_idle_take_turns(
    champions: Champions,
    memory: LongTermMemory,
    engine: FakeEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three tenants for two places, each with a request under way at every moment."""
    monkeypatch.setattr(way, "PATIENCE_S", 0.02)
    monkeypatch.setattr(module, "PATIENCE_S", 0.02)
    monkeypatch.setattr(way, "HELD_S", 0.05)
    own = {name: promote(memory, tmp_path, name) for name in ("acme", "globex", "initech")}
    await champions.refresh()
    served_to = dict.fromkeys(own, 0)
    done = asyncio.Event()

    async def user(name: str) -> None:
        while not done.is_set():
            async with champions.use(name) as adapter:
                assert adapter is not None
                assert adapter.version == own[name]
                await asyncio.sleep(0.005)
            served_to[name] += 1
            if min(served_to.values()) >= 20:
                done.set()

    async with asyncio.timeout(60):
        await asyncio.gather(*(user(name) for name in own for _ in range(3)))
    assert not engine.dead


async def test_one_that_is_never_idle_keeps_its_place_where_nobody_waits(
    champions: Champions, memory: LongTermMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(way, "HELD_S", 0.0)
    own = promote(memory, tmp_path, "acme")
    await champions.refresh()
    async with champions.use("acme") as first:
        for _ in range(3):
            await champions.refresh()
            async with champions.use("acme") as adapter:
                assert adapter is first
    assert first is not None
    assert first.version == own

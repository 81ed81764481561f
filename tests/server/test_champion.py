"""Following the champion: promotions reach the engine, faults leave the base serving."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from adaptation.errors import EngineError
from adaptation.fake_engine import FakeEngine, Reply
from adaptation.learning.leases import AdapterLeases
from adaptation.learning.training.adapter_files import WEIGHTS
from adaptation.types import Adapter
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.types import AdapterVersion
from server.adapters.champion import CHAMPION, Champion
from tests.server.registered import register


@pytest.fixture
def memory(data_dir: Path) -> Iterator[LongTermMemory]:
    memory = LongTermMemory.open(data_dir, create_embedder("hashing"))
    yield memory
    memory.close()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(lambda query, draw: Reply("#### 1"))


@pytest.fixture
def leases(tmp_path: Path) -> AdapterLeases:
    return AdapterLeases(2, root=tmp_path)


@pytest.fixture
def champion(memory: LongTermMemory, engine: FakeEngine, leases: AdapterLeases) -> Champion:
    return Champion("default", "whet-pebble", memory.adapters, engine, leases)


async def test_without_a_champion_the_base_is_served(champion: Champion) -> None:
    await champion.refresh()
    with champion.use() as adapter:
        assert adapter is None
    assert champion.problem is None


async def test_a_promotion_and_a_rollback_reach_a_running_server(
    champion: Champion, memory: LongTermMemory, engine: FakeEngine, tmp_path: Path
) -> None:
    first, second = (register(memory, tmp_path, value) for value in (1.0, 2.0))
    for version in (first, second):
        memory.adapters.promote("default", version.id)
        await champion.refresh()
        assert champion.adapter is not None
        assert champion.adapter.version == version.id
    memory.adapters.rollback("default")
    await champion.refresh()
    assert champion.adapter.version == first.id
    assert not engine.dead


async def test_an_old_champion_stays_loaded_while_a_request_uses_it(
    champion: Champion, memory: LongTermMemory, engine: FakeEngine, tmp_path: Path
) -> None:
    first, second = (register(memory, tmp_path, value) for value in (1.0, 2.0))
    memory.adapters.promote("default", first.id)
    await champion.refresh()
    with champion.use() as adapter:
        memory.adapters.promote("default", second.id)
        await champion.refresh()
        await champion.refresh()
        assert adapter is not None
        assert engine.loaded[adapter.name] == adapter
    await champion.refresh()
    assert [a.version for a in engine.loaded.values()] == [second.id]


async def test_a_champion_whose_file_is_gone_leaves_the_base_serving_and_is_named(
    champion: Champion, memory: LongTermMemory, leases: AdapterLeases, tmp_path: Path
) -> None:
    version = register(memory, tmp_path, 1.0)
    memory.adapters.promote("default", version.id)
    (Path(version.path) / WEIGHTS).unlink()
    await champion.refresh()
    assert champion.adapter is None
    assert version.id in str(champion.problem)
    assert leases.free == 2


@pytest.mark.parametrize(("alias", "level"), [(CHAMPION, "WARNING"), ("ft:a-model", "ERROR")])
async def test_a_failure_is_an_error_where_nothing_is_served_instead(
    memory: LongTermMemory,
    engine: FakeEngine,
    leases: AdapterLeases,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    alias: str,
    level: str,
) -> None:
    name = None if alias == CHAMPION else alias
    version = register(memory, tmp_path, 1.0, name=name)
    if name is None:
        memory.adapters.promote("default", version.id)
    served = Champion("default", "whet-pebble", memory.adapters, engine, leases, alias=alias)
    await served.refresh()
    engine.failing.add("load")
    await served.reload()
    await served.refresh()
    told = [(each.levelname, each.getMessage()) for each in caplog.records]
    levels = [said for said, words in told if words.startswith(f"{alias} {version.id}")]
    assert levels == [level, level]


@pytest.mark.parametrize(
    ("effect", "told"), [(0.0, "without it"), (math.nan, "no numbers"), (math.inf, "no numbers")]
)
async def test_a_champion_that_is_not_applied_or_broken_is_not_served(
    champion: Champion,
    memory: LongTermMemory,
    engine: FakeEngine,
    tmp_path: Path,
    effect: float,
    told: str,
) -> None:
    engine.probe_effect = effect
    memory.adapters.promote("default", register(memory, tmp_path, 1.0).id)
    await champion.refresh()
    assert champion.adapter is None
    assert told in str(champion.problem)
    assert engine.loaded == {}


async def test_an_adapter_of_another_model_is_not_served(
    champion: Champion, memory: LongTermMemory, tmp_path: Path
) -> None:
    memory.adapters.promote("default", register(memory, tmp_path, 1.0, "other/model").id)
    await champion.refresh()
    assert champion.adapter is None
    assert "other/model" in str(champion.problem)
    assert "whet rebase --model" in str(champion.problem)


async def test_a_failed_load_keeps_the_working_champion_and_is_tried_again(
    champion: Champion,
    memory: LongTermMemory,
    engine: FakeEngine,
    leases: AdapterLeases,
    tmp_path: Path,
) -> None:
    first, second = (register(memory, tmp_path, value) for value in (1.0, 2.0))
    memory.adapters.promote("default", first.id)
    await champion.refresh()
    memory.adapters.promote("default", second.id)
    for fault in ("load", "probe"):
        engine.failing = {fault}
        await champion.refresh()
        assert champion.adapter is not None
        assert champion.adapter.version == first.id
        assert second.id in str(champion.problem)
        assert [a.version for a in engine.loaded.values()] == [first.id]
        assert leases.free == 1
    engine.failing = set()
    for _ in range(2):
        await champion.refresh()
    assert champion.adapter.version == second.id
    assert champion.problem is None


async def test_a_champion_that_cannot_be_loaded_is_tried_more_and_more_rarely(
    champion: Champion, memory: LongTermMemory, engine: FakeEngine, tmp_path: Path
) -> None:
    tries: list[int] = []

    class Counting(FakeEngine):
        async def load(self, adapter: Adapter) -> None:
            tries.append(look)
            raise EngineError("no")

    champion._engine = Counting(engine.script)
    memory.adapters.promote("default", register(memory, tmp_path, 1.0).id)
    for look in range(16):  # noqa: B007 - read by the engine
        await champion.refresh()
    assert tries == [0, 1, 3, 7, 15]
    memory.adapters.promote("default", register(memory, tmp_path, 2.0).id)
    look = 16
    await champion.refresh()
    assert tries[-1] == 16, "another one is tried at once"


@pytest.mark.parametrize("fault", [OSError("disk gone"), RuntimeError("anything")])
async def test_following_survives_any_fault_and_ready_shows_it_until_it_is_mended(
    fault: Exception,
    champion: Champion,
    memory: LongTermMemory,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    version = register(memory, tmp_path, 1.0)
    memory.adapters.promote("default", version.id)
    looked, mended = asyncio.Event(), asyncio.Event()
    alias = memory.adapters.alias

    def faulty(tenant: str, name: str) -> AdapterVersion | None:
        if mended.is_set():
            return alias(tenant, name)
        loop.call_soon_threadsafe(looked.set)
        raise fault

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(memory.adapters, "alias", faulty)

    async def follow() -> None:
        while True:
            await champion.refresh()
            await asyncio.sleep(0.001)

    following = asyncio.create_task(follow())
    await looked.wait()
    async with asyncio.timeout(20):
        while champion.problem is None:  # noqa: ASYNC110 - set by a task without an event
            await asyncio.sleep(0.001)
    assert str(fault) in champion.problem
    mended.set()
    async with asyncio.timeout(20):
        while champion.adapter is None:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert champion.problem is None
    assert not following.done()
    following.cancel()


async def test_a_third_champion_waits_for_requests_of_the_first_without_holding_anything_up(
    champion: Champion,
    memory: LongTermMemory,
    engine: FakeEngine,
    leases: AdapterLeases,
    tmp_path: Path,
) -> None:
    versions = [register(memory, tmp_path, value) for value in (1.0, 2.0, 3.0)]
    async with asyncio.timeout(20):
        memory.adapters.promote("default", versions[0].id)
        await champion.refresh()
        with champion.use():
            for version in versions[1:]:
                memory.adapters.promote("default", version.id)
                await champion.refresh()
            assert champion.adapter is not None
            assert champion.adapter.version == versions[1].id
            assert versions[2].id in str(champion.problem)
            assert leases.waiting == 0
        for _ in range(3):
            await champion.refresh()
    assert champion.adapter.version == versions[2].id
    assert not engine.dead


async def test_a_load_that_is_given_up_half_way_leaves_nothing_in_the_engine(
    champion: Champion,
    memory: LongTermMemory,
    engine: FakeEngine,
    leases: AdapterLeases,
    tmp_path: Path,
) -> None:
    begun = asyncio.Event()

    class Slow(FakeEngine):
        async def load(self, adapter: Adapter) -> None:
            await super().load(adapter)
            begun.set()
            await asyncio.Event().wait()

    slow = champion._engine = Slow(engine.script)
    memory.adapters.promote("default", register(memory, tmp_path, 1.0).id)
    loading = asyncio.create_task(champion.refresh())
    await begun.wait()
    loading.cancel()
    await asyncio.wait([loading])
    assert loading.cancelled()
    assert slow.loaded == {}
    assert leases.free == 2

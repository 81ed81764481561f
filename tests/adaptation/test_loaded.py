"""Kept adapters stay in the engine: loaded once, shared, and out of everybody's way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from adaptation.errors import EngineError
from adaptation.fake_engine import FakeEngine
from adaptation.learning.adapter_cache import AdapterCache
from adaptation.learning.leases import AdapterLeases
from adaptation.learning.loaded import Loaded, LoadedAdapters
from adaptation.learning.single_flight import SingleFlight
from adaptation.learning.training.adapter_files import WEIGHTS
from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.wanted import Wanted
from adaptation.learning.warming import Warming
from adaptation.pipeline import answer
from adaptation.services import Services
from adaptation.types import Adapter, Query
from memory.memory import LongTermMemory
from memory.types import State
from tests.adaptation.lamps import ASK, adapted_engine, remember_examples

MakeQuery = Callable[..., Query]
Build = Callable[..., Services]
FLIGHT = SingleFlight()
QUIET = {"strategy": "ttt", "memory": {"write": False}}


@pytest.fixture
def leases(tmp_path: Path) -> Iterator[AdapterLeases]:
    found = AdapterLeases(2, root=tmp_path)
    yield found
    found.close()


async def used(loaded: LoadedAdapters, key: str) -> Loaded:
    """What a request of a neighbourhood samples through."""
    async with FLIGHT.turn(key):
        if (found := loaded.take(key)) is None:
            lease = await loaded.lease()
            (lease.folder / WEIGHTS).touch()
            found = await loaded.load(lease, lease.folder, 8, None)
            loaded.stay(key, found)
    return found


def history(engine: FakeEngine) -> list[str]:
    return [event.split()[0] for event in engine.history]


async def test_from_the_second_hit_on_nothing_is_loaded(
    make_query: MakeQuery, services: Build, memory: LongTermMemory, tmp_path: Path
) -> None:
    remember_examples(memory, 12)
    engine = adapted_engine()
    cache = AdapterCache(tmp_path / "kept", 10**6)
    parts = replace(services(engine, FakeTrainer()), kept=cache)
    reports = [(await answer(make_query(ASK, **QUIET), parts)).report for _ in range(4)]
    assert history(engine) == ["load", "drop", "load"]
    ids = [report.adapter.id for report in reports if report.adapter]
    assert len(ids) == 4
    assert ids[0] != ids[1] == ids[2] == ids[3]
    assert reports[3].seconds.get("hand_off", 0.0) == 0.0
    memory.set_state("default", memory.list("default")[0].id, State.QUARANTINED, "judged wrong")
    await answer(make_query(ASK, **QUIET), parts)
    assert history(engine) == ["load", "drop", "load", "drop", "load", "drop"]
    assert not engine.loaded, "what learned from the record is out of the engine too"


async def test_who_comes_together_shares_one(leases: AdapterLeases) -> None:
    engine = adapted_engine()
    loaded = LoadedAdapters(engine, leases)
    found = await asyncio.gather(*(used(loaded, "a") for _ in range(5)))
    assert len({id(each) for each in found}) == 1
    assert history(engine) == ["load"]
    for each in found[:4]:
        await loaded.leave(each)
    assert (leases.free, leases.unused) == (1, 0)
    await loaded.leave(found[4])
    assert (leases.free, leases.unused) == (1, 1)
    assert history(engine) == ["load"]


async def test_the_one_unused_for_longest_makes_way(leases: AdapterLeases) -> None:
    engine = adapted_engine()
    loaded = LoadedAdapters(engine, leases)
    first, second = [await used(loaded, key) for key in "ab"]
    for each in (second, first):
        await loaded.leave(each)
    assert leases.expected_wait_s == 0.0, "nobody waits for a name that nobody uses"
    third = await used(loaded, "c")
    assert third.adapter.name == second.adapter.name
    assert third.adapter.id not in (first.adapter.id, second.adapter.id)
    assert set(engine.loaded) == {first.adapter.name, third.adapter.name}


async def test_several_may_find_the_same_ones_out_of_date(leases: AdapterLeases) -> None:
    engine = adapted_engine()
    loaded = LoadedAdapters(engine, leases)
    for each in [await used(loaded, key) for key in "ab"]:
        await loaded.leave(each)
    _, _, lease = await asyncio.gather(
        loaded.drop_others([]), loaded.drop_others([]), loaded.lease()
    )
    assert not engine.loaded
    assert (leases.free, leases.unused) == (1, 0)
    leases.release(lease)


async def test_who_is_given_up_while_it_drops_leaves_no_other_behind(
    leases: AdapterLeases,
) -> None:
    begun = asyncio.Event()

    class Slow(FakeEngine):
        async def drop(self, adapter: Adapter) -> None:
            await super().drop(adapter)
            if not begun.is_set():
                begun.set()
                await asyncio.Event().wait()

    engine = Slow(lambda query, draw: pytest.fail("nothing is sampled"))
    loaded = LoadedAdapters(engine, leases)
    for each in [await used(loaded, key) for key in "ab"]:
        await loaded.leave(each)
    dropping = asyncio.create_task(loaded.drop_others([]))
    async with asyncio.timeout(10.0):
        await begun.wait()
    dropping.cancel()
    await asyncio.wait([dropping])
    assert not engine.loaded
    assert (leases.free, leases.unused) == (2, 0)


async def test_the_time_one_stays_unused_is_not_what_others_wait(
    leases: AdapterLeases, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("adaptation.learning.loaded.time.monotonic", lambda: now)
    loaded = LoadedAdapters(adapted_engine(), leases)
    for key in "abcd":
        found = await used(loaded, key)
        now += 2
        await loaded.leave(found)
        now += 3600
    await loaded.drop_others([])
    held = [await loaded.lease() for _ in range(2)]
    assert leases.expected_wait_s == pytest.approx(2 / 2)
    for each in held:
        leases.release(each)


async def test_warming_and_requests_share_the_names(services: Build) -> None:
    parts = services(adapted_engine())
    warming = Warming(parts, Wanted(), nullcontext, lambda: False)
    assert warming._services.loaded is parts.loaded


async def test_one_that_is_used_is_waited_for(leases: AdapterLeases) -> None:
    loaded = LoadedAdapters(adapted_engine(), leases)
    first, second = [await used(loaded, key) for key in "ab"]
    training = asyncio.create_task(loaded.lease())
    await asyncio.sleep(0.01)
    assert not training.done()
    await loaded.leave(second)
    lease = await asyncio.wait_for(training, 1)
    assert lease.name == second.adapter.name
    assert loaded.take("b") is None, "it gave its name up"
    leases.release(lease)
    await loaded.leave(first)


async def test_what_is_no_longer_kept_goes_with_its_last_user(leases: AdapterLeases) -> None:
    engine = adapted_engine()
    loaded = LoadedAdapters(engine, leases)
    unused, still_used = [await used(loaded, key) for key in "ab"]
    await loaded.leave(unused)
    await loaded.drop_others([])
    assert set(engine.loaded) == {still_used.adapter.name}
    assert loaded.take("b") is None, "no new request uses it"
    await loaded.leave(still_used)
    assert not engine.loaded
    assert (leases.free, leases.unused) == (2, 0)


class Refusing(FakeEngine):
    """Loads nothing."""

    async def load(self, adapter: Adapter) -> None:
        await super().load(adapter)
        raise EngineError("no room")


async def test_a_load_that_fails_is_told_to_all_and_leaves_nothing(leases: AdapterLeases) -> None:
    engine = Refusing(lambda query, draw: pytest.fail("nothing is sampled"))
    loaded = LoadedAdapters(engine, leases)
    found = await asyncio.gather(*(used(loaded, "a") for _ in range(3)), return_exceptions=True)
    assert [str(each) for each in found] == ["no room"] * 3
    assert not engine.loaded
    assert (leases.free, leases.unused) == (2, 0)


async def test_a_request_that_is_given_up_while_it_loads_leaves_nothing(
    leases: AdapterLeases,
) -> None:
    begun = asyncio.Event()

    class Slow(FakeEngine):
        async def load(self, adapter: Adapter) -> None:
            await super().load(adapter)
            begun.set()
            await asyncio.sleep(60)

    engine = Slow(lambda query, draw: pytest.fail("nothing is sampled"))
    loading = asyncio.create_task(used(LoadedAdapters(engine, leases), "a"))
    await asyncio.wait_for(begun.wait(), 10)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    assert not engine.loaded
    assert (leases.free, leases.unused) == (2, 0)


async def test_two_thousand_neighbourhoods_leave_no_trace(leases: AdapterLeases) -> None:
    engine = adapted_engine()
    loaded = LoadedAdapters(engine, leases)
    files = psutil.Process().num_fds()
    for number in range(2_000):
        await loaded.leave(await used(loaded, str(number)))
    assert len(engine.loaded) == 2
    assert (len(loaded._staying), len(FLIGHT._turns)) == (2, 0)
    assert len(list(leases._root.iterdir())) == 2
    assert psutil.Process().num_fds() <= files
    await loaded.drop_others([])
    assert not engine.loaded
    assert not list(leases._root.iterdir())

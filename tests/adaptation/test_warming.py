"""What requests had no time to train for is trained while nobody waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.learning.adapter_cache import AdapterCache
from adaptation.learning.loaded import LoadedAdapters
from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.wanted import Wanted
from adaptation.learning.warming import Warming, Warmth
from adaptation.options import Strategy
from adaptation.pipeline import answer
from adaptation.report import Report
from adaptation.services import Services
from adaptation.types import Query
from memory.memory import LongTermMemory
from memory.types import State
from tests.adaptation.lamps import ASK, adapted_engine, remember_examples

MakeQuery = Callable[..., Query]
Build = Callable[..., Services]
Parts = tuple[Services, Warming]


@pytest.fixture
def wanted() -> Wanted:
    return Wanted()


@pytest.fixture
def trainer() -> FakeTrainer:
    return FakeTrainer()


@pytest.fixture
def parts(
    services: Build, memory: LongTermMemory, trainer: FakeTrainer, wanted: Wanted, tmp_path: Path
) -> Services:
    """A training takes longer here than the requests below have."""
    remember_examples(memory, 12)
    built = services(adapted_engine(), trainer, expected_train_s=1000.0)
    return replace(built, kept=AdapterCache(tmp_path / "kept", 10**6), wanted=wanted)


def warming(parts: Services, is_busy: Callable[[], bool] = lambda: False) -> Warming:
    assert parts.wanted is not None
    return Warming(parts, parts.wanted, lambda tenant: nullcontext(None), is_busy)


async def in_a_hurry(make_query: MakeQuery, parts: Services, ask: str = ASK) -> Report:
    query = make_query(
        ask,
        strategy="ttt",
        memory={"write": False},
        budget={"tokens": 400},
        query_deadline=time.monotonic() + 30.0,
    )
    return (await answer(query, parts)).report


async def done(warming: Warming) -> Warmth:
    async with asyncio.timeout(20):
        while warming.state("default").is_training:  # noqa: ASYNC110 - asked for, as clients do
            await asyncio.sleep(0.01)
    return warming.state("default")


async def test_a_request_without_time_is_served_with_what_was_trained_since(
    make_query: MakeQuery, parts: Services, trainer: FakeTrainer
) -> None:
    first = await in_a_hurry(make_query, parts)
    assert first.strategy is Strategy.CONSISTENCY
    assert "allow more wall_s" in str(first.reason)
    warm = warming(parts)
    assert warm.state("default") == Warmth(wanted=1, is_training=False, kept=0, unused=0)
    warm.begin("default")
    warm.begin("default")
    assert await done(warm) == Warmth(wanted=0, is_training=False, kept=1, unused=0)
    assert len(trainer.jobs) == 1
    second = await in_a_hurry(make_query, parts)
    assert (second.strategy, second.answer) == (Strategy.TTT, "9")
    assert (second.tokens.training, len(trainer.jobs)) == (0, 1)


async def test_an_idle_server_trains_by_itself_and_a_busy_one_does_not(
    make_query: MakeQuery, parts: Services
) -> None:
    await in_a_hurry(make_query, parts)
    busy = True
    warm = warming(parts, lambda: busy)
    follow = asyncio.create_task(warm.follow(idle_s=0.05, look_s=0.01))
    await asyncio.sleep(0.3)
    assert warm.state("default").wanted == 1
    busy = False
    async with asyncio.timeout(20):
        while not warm.state("default").kept:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    follow.cancel()
    with suppress(asyncio.CancelledError):
        await follow


async def test_what_gains_nothing_is_counted_and_not_wanted_again(
    make_query: MakeQuery, parts: Services, trainer: FakeTrainer
) -> None:
    engine = FakeEngine(lambda q, draw: Reply("#### 77"))
    parts = replace(parts, engine=engine, loaded=LoadedAdapters(engine, parts.leases))
    await in_a_hurry(make_query, parts)
    warm = warming(parts)
    warm.begin("default")
    assert await done(warm) == Warmth(wanted=0, is_training=False, kept=0, unused=1)
    assert "as an earlier request" in str((await in_a_hurry(make_query, parts)).reason)
    assert (warm.state("default").wanted, len(trainer.jobs)) == (0, 1)


async def test_neighbours_that_are_gone_meanwhile_are_not_trained_on(
    make_query: MakeQuery, parts: Services, memory: LongTermMemory, trainer: FakeTrainer
) -> None:
    await in_a_hurry(make_query, parts)
    for record in memory.list("default"):
        memory.set_state("default", record.id, State.QUARANTINED, "wrong")
    warm = warming(parts)
    warm.begin("default")
    assert (await done(warm)).unused == 1
    assert trainer.jobs == []


async def test_a_fault_costs_one_neighbourhood(
    make_query: MakeQuery,
    parts: Services,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await in_a_hurry(make_query, parts)

    def fail(*_: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr("adaptation.learning.warming.obstacle_to_training", fail)
    warm = warming(parts)
    warm.begin("default")
    assert (await done(warm)).wanted == 0
    assert "out of luck" in caplog.text


async def test_without_a_cache_nothing_is_wanted(make_query: MakeQuery, parts: Services) -> None:
    """As the server builds it: what is trained beforehand could not be kept."""
    await in_a_hurry(make_query, replace(parts, kept=None, wanted=None))
    assert warming(parts).state("default").wanted == 0


async def test_closing_ends_what_is_under_way(
    make_query: MakeQuery, parts: Services, trainer: FakeTrainer
) -> None:
    await in_a_hurry(make_query, parts)
    trainer.let_go.clear()
    warm = warming(parts)
    warm.begin("default")
    await trainer.started.wait()
    await warm.close()
    assert not warm.state("default").is_training


def test_what_is_asked_for_most_is_first_and_what_is_unasked_longest_is_forgotten(
    make_query: MakeQuery,
) -> None:
    wanted = Wanted(most=2)
    asked = {key: replace(make_query(), id=key) for key in "abc"}
    for key in "abbac":
        wanted.note(key, asked[key])
    assert wanted.count() == 2
    assert wanted.count("other") == 0
    assert wanted.take("other") is None
    assert [wanted.take(), wanted.take(), wanted.take()] == [asked["a"], asked["c"], None]

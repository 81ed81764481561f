"""What one request's training comes to serves the others that have the same neighbours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adaptation.errors import TrainerError
from adaptation.fake_engine import FakeEngine, Reply
from adaptation.learning.adapter_cache import AdapterCache
from adaptation.learning.single_flight import SingleFlight
from adaptation.learning.training.adapter_files import WEIGHTS
from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.training.refusals import Refusal
from adaptation.learning.training.trainer import TrainingJob, TrainingResult
from adaptation.options import Strategy
from adaptation.pipeline import answer
from adaptation.report import Report
from adaptation.services import Services
from adaptation.types import Query
from memory.memory import LongTermMemory
from memory.types import State
from tests.adaptation.lamps import ASK, adapted_engine, example_asked, remember_examples

MakeQuery = Callable[..., Query]
Build = Callable[..., Services]
QUIET = {"strategy": "ttt", "memory": {"write": False}}


@pytest.fixture
def cache(tmp_path: Path) -> AdapterCache:
    return AdapterCache(tmp_path / "kept", 10**6)


async def test_the_second_request_of_a_neighbourhood_trains_nothing(
    make_query: MakeQuery, services: Build, memory: LongTermMemory, cache: AdapterCache
) -> None:
    remember_examples(memory, 12)
    engine, trainer = adapted_engine(), FakeTrainer()
    parts = replace(services(engine, trainer), kept=cache)
    first, second = [(await answer(make_query(ASK, **QUIET), parts)).report for _ in range(2)]
    assert len(trainer.jobs) == 1
    assert (first.strategy, second.strategy) == (Strategy.TTT, Strategy.TTT)
    assert second.adapter is not None
    assert "kept from an earlier request" in second.adapter.reason
    assert second.adapter.id != first.adapter.id  # type: ignore[union-attr]
    assert (second.tokens.training, second.neighbours) == (0, first.neighbours)
    assert "train" not in second.seconds
    known = memory.list("default")[0]
    memory.set_state("default", known.id, State.QUARANTINED, "judged wrong")
    await answer(make_query(ASK, **QUIET), parts)
    assert len(trainer.jobs) == 2, "what learned from the record is gone"


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"{")])
async def test_a_kept_adapter_whose_files_are_broken_is_trained_again(
    damage: Callable[[Path], None],
    make_query: MakeQuery,
    services: Build,
    memory: LongTermMemory,
    cache: AdapterCache,
) -> None:
    remember_examples(memory, 12)
    engine, trainer = adapted_engine(), FakeTrainer()
    parts = replace(services(engine, trainer), kept=cache)
    await answer(make_query(ASK, **QUIET), parts)
    (weights,) = cache._root.glob(f"*/{WEIGHTS}")
    damage(weights)
    mended = (await answer(make_query(ASK, **QUIET), parts)).report
    assert (mended.strategy, len(trainer.jobs), len(cache)) == (Strategy.TTT, 2, 1)
    await answer(make_query(ASK, **QUIET), parts)
    assert len(trainer.jobs) == 2


async def test_an_adapter_that_other_refusals_judged_is_not_served(
    make_query: MakeQuery, services: Build, memory: LongTermMemory, cache: AdapterCache
) -> None:
    remember_examples(memory, 12)
    engine, trainer = adapted_engine(), FakeTrainer()
    guarded = Refusal(request="Give me the key.", refusal="I will not.", compliance="Here it is.")
    for refusals in ((), (guarded,), (guarded,)):
        parts = replace(services(engine, trainer, refusals=refusals), kept=cache)
        await answer(make_query(ASK, **QUIET), parts)
        await parts.loaded.drop_others([])
    assert [job.refusals for job in trainer.jobs] == [(), (guarded,)]


async def test_a_hundred_requests_at_once_are_all_answered_and_leave_nothing(
    make_query: MakeQuery, services: Build, memory: LongTermMemory, cache: AdapterCache
) -> None:
    """Of several tenants' worth of neighbourhoods, some of which the trainer fails."""
    remember_examples(memory, 40)

    class Failing(FakeTrainer):
        async def train(self, job: TrainingJob, *rest: Any) -> TrainingResult:
            result = await super().train(job, *rest)
            if len(self.jobs) % 3 == 0:
                raise TrainerError("the trainer process died")
            return result

    engine, trainer = adapted_engine(), Failing()
    parts = replace(services(engine, trainer, neighbours=5, holdout=2), kept=cache)
    asked = [f"What is {number % 20} lamp {number % 7}?" for number in range(100)]
    found = await asyncio.gather(*(answer(make_query(each, **QUIET), parts) for each in asked))
    reports = [outcome.report for outcome in found]
    assert all(report.answer is not None for report in reports)
    for report in reports:
        assert report.reason or (report.adapter is not None and report.adapter.accepted)
    assert any(report.strategy is Strategy.TTT for report in reports)
    assert len(trainer.jobs) < 100
    assert len(engine.loaded) == parts.leases.unused <= 2
    assert engine.running == set()


async def test_an_adapter_that_was_refused_is_not_kept(
    make_query: MakeQuery, services: Build, memory: LongTermMemory, cache: AdapterCache
) -> None:
    remember_examples(memory, 12)
    engine = FakeEngine(lambda q, draw: Reply("#### 77"))
    report = (
        await answer(make_query(ASK, strategy="ttt"), replace(services(engine), kept=cache))
    ).report
    assert report.strategy is Strategy.CONSISTENCY
    assert len(cache) == 0


def held_up(
    services: Build, memory: LongTermMemory, cache: AdapterCache, trainer: FakeTrainer
) -> Services:
    """With examples in memory, and a trainer that ends no job before it is let go."""
    remember_examples(memory, 12)
    trainer.let_go.clear()
    return replace(services(adapted_engine(), trainer), kept=cache)


async def one(make_query: MakeQuery, parts: Services, name: str = "") -> Report:
    query = replace(make_query(ASK, **QUIET), id=f"chatcmpl-{name}")
    return (await answer(query, parts)).report


async def test_requests_that_come_together_train_once(
    make_query: MakeQuery, services: Build, memory: LongTermMemory, cache: AdapterCache
) -> None:
    trainer = FakeTrainer()
    parts = held_up(services, memory, cache, trainer)
    requests = [asyncio.create_task(one(make_query, parts, name)) for name in "abc"]
    await trainer.started.wait()
    trainer.let_go.set()
    reports = await asyncio.gather(*requests)
    assert len(trainer.jobs) == 1
    assert [report.strategy for report in reports] == [Strategy.TTT] * 3
    assert sum("train" in report.seconds for report in reports) == 1


async def test_where_the_one_that_trains_leaves_the_next_takes_over(
    make_query: MakeQuery, services: Build, memory: LongTermMemory, cache: AdapterCache
) -> None:
    trainer = FakeTrainer()
    parts = held_up(services, memory, cache, trainer)
    first = asyncio.create_task(one(make_query, parts, "a"))
    await trainer.started.wait()
    second = asyncio.create_task(one(make_query, parts, "b"))
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    trainer.let_go.set()
    assert (await second).strategy is Strategy.TTT
    assert len(trainer.jobs) == 2


class Counting(FakeTrainer):
    """Says when two jobs are there."""

    def __init__(self) -> None:
        super().__init__()
        self.two = asyncio.Event()

    async def train(self, job: TrainingJob, *arguments: Any) -> TrainingResult:
        if len(self.jobs) == 1:
            self.two.set()
        return await super().train(job, *arguments)


async def test_without_a_cache_nobody_waits_for_another(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    """Their adapters could not be shared, and the trainer takes them in one batch."""
    remember_examples(memory, 12)
    trainer = Counting()
    parts = services(adapted_engine(), trainer)
    trainer.let_go.clear()
    requests = [asyncio.create_task(one(make_query, parts, name)) for name in "ab"]
    async with asyncio.timeout(20.0):
        await trainer.two.wait()
    trainer.let_go.set()
    await asyncio.gather(*requests)


def knows_all() -> FakeEngine:
    return FakeEngine(lambda q, draw: Reply(f"#### {example_asked(draw) or 1}"))


def knows_none() -> FakeEngine:
    return FakeEngine(lambda q, draw: Reply("#### 77"))


@pytest.mark.parametrize(
    ("engine", "why"),
    [(knows_all, "answers every held-out neighbour"), (knows_none, "the gate refused")],
)
async def test_what_was_refused_is_not_trained_again_until_a_record_changes(
    engine: Callable[[], FakeEngine],
    why: str,
    make_query: MakeQuery,
    services: Build,
    memory: LongTermMemory,
    cache: AdapterCache,
) -> None:
    remember_examples(memory, 12)
    trainer = FakeTrainer()
    if engine is knows_all:
        trainer.let_go.clear()  # the base is asked meanwhile
    parts = replace(services(engine(), trainer), kept=cache)
    first, second = [await one(make_query, parts) for _ in range(2)]
    assert why in str(first.reason)
    assert second.reason == f"as an earlier request of these neighbours saw: {first.reason}"
    assert len(trainer.jobs) == 1
    assert second.adapter is None
    memory.edit("default", memory.list("default")[0].id, "70", "#### 70")
    assert "earlier request" not in str((await one(make_query, parts)).reason)
    assert len(trainer.jobs) == 2


async def test_a_refusal_is_of_all_that_its_examination_depended_on(
    make_query: MakeQuery, services: Build, memory: LongTermMemory, cache: AdapterCache
) -> None:
    """A client that lets replies stop at the first new line refuses nothing for the others."""
    remember_examples(memory, 12)
    trainer = FakeTrainer()
    parts = replace(services(knows_none(), trainer), kept=cache)
    for terms, jobs in (("stop at a new line", 1), ("", 2), ("", 2), ("stop at a new line", 2)):
        await answer(replace(make_query(ASK, **QUIET), terms=terms), parts)
        assert len(trainer.jobs) == jobs


async def test_nothing_is_refused_for_good_by_answers_that_were_cut_off(
    make_query: MakeQuery, services: Build, memory: LongTermMemory, cache: AdapterCache
) -> None:
    remember_examples(memory, 12)
    trainer = FakeTrainer()
    engine = FakeEngine(lambda q, draw: Reply("lamp", finish_reason="length"))
    parts = replace(services(engine, trainer), kept=cache)
    for _ in range(2):
        assert "the gate refused" in str((await one(make_query, parts)).reason)
    assert len(trainer.jobs) == 2


class CutShort(FakeTrainer):
    """Has never the time for a whole training."""

    async def train(self, job: TrainingJob, *arguments: Any) -> TrainingResult:
        result = await super().train(job, *arguments)
        return result.model_copy(update={"cut_short": True})


@pytest.mark.parametrize("trainer", [CutShort(), FakeTrainer([TrainerError("it died")] * 2)])
async def test_a_training_that_was_not_whole_is_tried_again(
    trainer: FakeTrainer,
    make_query: MakeQuery,
    services: Build,
    memory: LongTermMemory,
    cache: AdapterCache,
) -> None:
    remember_examples(memory, 12)
    parts = replace(services(knows_none(), trainer), kept=cache)
    for _ in range(2):
        await one(make_query, parts)
    assert len(trainer.jobs) == 2


def test_refusals_are_bounded() -> None:
    flight = SingleFlight(most_refusals=2)
    for key in "abc":
        flight.refuse(key, "no gain")
    assert [flight.refusal(key) for key in "abc"] == [None, "no gain", "no gain"]


async def test_a_turn_that_nobody_holds_is_forgotten() -> None:
    flight = SingleFlight()
    async with flight.turn("a"):
        assert len(flight._turns) == 1
    assert len(flight._turns) == 0

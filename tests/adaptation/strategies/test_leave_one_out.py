"""Demonstrations are shown where neighbours teach each other, on the fake engine."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.learning.leave_one_out import MOST, WAVE, Effect, Mark
from adaptation.options import Strategy
from adaptation.pipeline import answer
from adaptation.types import Draw, Query
from memory.history.ledger import Seen
from memory.memory import LongTermMemory
from memory.text import digest
from memory.types import Trial
from tests.adaptation.lamps import ASK, example_asked, remember_examples
from tests.adaptation.strategies.playing import Build, MakeQuery, run

MARKS = st.lists(st.builds(Mark, st.booleans(), st.booleans()), max_size=MOST)


def lamps(alone: bool, shown: bool) -> FakeEngine:
    """Right on examples that are asked alone, or with others before them; 7 to the question."""

    def script(query: Query, draw: Draw) -> Reply:
        if not isinstance(draw.prompt, tuple) or draw.prompt[-1].content == ASK:
            return Reply("#### 7", tokens=3)
        is_right = shown if len(draw.prompt) > 1 else alone
        return Reply(f"#### {example_asked(draw) if is_right else 'unknown'}", tokens=3)

    return FakeEngine(script)


def examined(engine: FakeEngine) -> list[Draw]:
    return [draw for draw in engine.drawn if draw.temperature == 0.0]


@pytest.mark.parametrize(
    ("alone", "shown", "strategy", "asked"),
    [
        (False, True, Strategy.DEMONSTRATIONS, WAVE),
        (False, False, Strategy.CONSISTENCY, MOST),
        (True, True, Strategy.CONSISTENCY, WAVE),
        (True, False, Strategy.CONSISTENCY, WAVE),
    ],
)
async def test_neighbours_are_shown_where_they_teach_each_other(
    alone: bool,
    shown: bool,
    strategy: Strategy,
    asked: int,
    make_query: MakeQuery,
    services: Build,
    memory: LongTermMemory,
) -> None:
    remember_examples(memory, 12)
    engine = lamps(alone, shown)
    report = await run(make_query, services(engine), "demonstrations")
    assert report.strategy is strategy
    assert len(examined(engine)) == 2 * asked, "each alone, and with others"
    assert report.tokens.generated == engine.tokens, "what was asked is on the bill"
    assert report.seconds["judge"] > 0
    if strategy is Strategy.CONSISTENCY:
        assert "demonstrations do not surely help" in report.reason
        assert f"{WAVE if alone else 0} were right without" in report.reason


async def test_what_was_seen_of_neighbours_is_known_to_the_next_request_of_their_tenant(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    engine = lamps(alone=False, shown=True)
    built = services(engine)
    for _ in range(2):
        report = await run(make_query, built, "demonstrations")
        assert report.strategy is Strategy.DEMONSTRATIONS
    assert len(examined(engine)) == 2 * WAVE
    assert len(built.leave_one_out._known) == WAVE
    stranger = make_query(ASK, strategy="demonstrations", query_can_be_reworded=True)
    found = (await answer(replace(stranger, tenant="bob"), built)).report
    assert found.reason == "no neighbour in memory can be shown"


async def test_what_a_bound_on_tokens_cut_off_is_not_known_to_the_next_request(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    whole = lamps(alone=False, shown=True)
    is_short = True

    def script(query: Query, draw: Draw) -> Reply:
        cut = is_short and draw.temperature == 0.0
        return replace(whole.script(query, draw), finish_reason="length" if cut else "stop")

    built = services(FakeEngine(script))
    first = await run(make_query, built, "demonstrations")
    is_short = False
    second = await run(make_query, built, "demonstrations")
    assert (first.strategy, second.strategy) == (Strategy.CONSISTENCY, Strategy.DEMONSTRATIONS)


async def test_requests_that_come_together_ask_once(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    engine = lamps(alone=False, shown=True)
    built = services(engine)
    await asyncio.gather(*(run(make_query, built, "demonstrations") for _ in range(3)))
    assert len(examined(engine)) == 2 * WAVE


async def test_who_knows_enough_does_not_wait_for_others_of_the_tenant_who_ask(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    built = services(lamps(alone=False, shown=True))
    await run(make_query, built, "demonstrations")
    flight = built.leave_one_out._flight
    place = digest(["leave-one-out", "default", None])
    async with flight.turn(place), asyncio.timeout(10.0):
        report = await run(make_query, built, "demonstrations")
    assert report.strategy is Strategy.DEMONSTRATIONS


@pytest.mark.parametrize(
    ("good", "strategy"), [(True, Strategy.DEMONSTRATIONS), (False, Strategy.CONSISTENCY)]
)
async def test_what_the_ledger_saw_near_the_question_counts(
    good: bool,
    strategy: Strategy,
    make_query: MakeQuery,
    services: Build,
    memory: LongTermMemory,
) -> None:
    remember_examples(memory, 2)
    (nearest,) = memory.recall("default", ASK, k=1)
    trial = Trial(
        strategy="demonstrations", near=nearest.record.id, right=good, baseline=not good, same=False
    )
    memory.ledger.note("default", [(f"t{number}", trial) for number in range(6)])
    engine = lamps(alone=False, shown=good)
    report = await run(make_query, services(engine), "demonstrations")
    assert report.strategy is strategy
    assert good == (not examined(engine)), "what has helped often is not examined"


async def test_neighbours_that_are_not_examined_in_time_are_shown(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    never = asyncio.Event()

    def script(query: Query, draw: Draw) -> Reply:
        return Reply("#### 7", gate=never if draw.temperature == 0.0 else None)

    engine = FakeEngine(script)
    soon = time.monotonic() + 2.0
    report = await run(make_query, services(engine), "demonstrations", query_deadline=soon)
    assert report.strategy is Strategy.DEMONSTRATIONS
    assert not engine.running


async def test_an_engine_that_answers_no_neighbour_leaves_demonstrations_as_they_were(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)

    def script(query: Query, draw: Draw) -> Reply:
        return Reply("#### 7", error="no room" if draw.temperature == 0.0 else None)

    report = await run(make_query, services(FakeEngine(script)), "demonstrations")
    assert report.strategy is Strategy.DEMONSTRATIONS


@given(MARKS, st.integers(0, 9), st.integers(0, 9))
def test_nothing_is_shown_that_did_not_help_more_than_it_hurt(
    marks: list[Mark], helped: int, hurt: int
) -> None:
    effect = Effect.of(marks, Seen(helped=helped, hurt=hurt))
    if effect.helps:
        assert effect.helped >= effect.hurt + 2
        assert effect.obstacle is None
    if effect.hurt > effect.helped:
        assert effect.obstacle is not None

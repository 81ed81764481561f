"""An adapter is judged by its answers to held-out neighbours, beside those of the base."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.learning.examination import Examination
from adaptation.learning.training.gate import GateVerdict
from adaptation.types import Adapter, Draw, Query
from memory.types import Message, Record, State, Tier

MakeQuery = Callable[..., Query]
ADAPTER = Adapter(name="ttt_0", id=7, path="/nowhere", version="ttt_7", rank=8)


def record(number: int, **changes: object) -> Record:
    fields = {
        "id": f"rec_{number}",
        "tenant": "default",
        "task": "general",
        "messages": (Message(role="user", content=f"What is {number} lamp?"),),
        "answer": str(number),
        "rationale": f"lamp: ...\n#### {number}",
        "state": State.ACTIVE,
        "tier": Tier.IMPORTED,
        "evidence": {},
        "confidence": 0.9,
        "uses": 0,
        "wins": 0,
        "created_at": "2026-01-01T00:00:00+00:00",
        "model": "m",
        "adapter": None,
    }
    return Record.model_validate({**fields, **changes})


def engine(base: set[int], adapted: set[int], tokens: int = 3) -> FakeEngine:
    """Right on the given questions without and with an adapter; wrong on all others."""

    def script(query: Query, draw: Draw) -> Reply:
        assert isinstance(draw.prompt, tuple)
        assert draw.temperature == 0.0
        number = int(draw.prompt[-1].content.split()[2])
        known = adapted if draw.adapter else base
        return Reply(f"So it is\n#### {number if number in known else 'unknown'}", tokens=tokens)

    played = FakeEngine(script)
    played.loaded[ADAPTER.name] = ADAPTER
    return played


async def examined(
    query: Query, played: FakeEngine, records: list[Record], reserve: Sequence[Record] = ()
) -> tuple[bool, GateVerdict | None]:
    billed: list[int] = []
    examination = Examination(query, records, played, None, billed.append, reserve)
    try:
        examination.begin()
        return await examination.is_passed(), await examination.judge(ADAPTER)
    finally:
        await examination.close()
        assert played.running == set()
        assert sum(billed) == played.tokens, "what judging took is on the bill"


@pytest.mark.parametrize(
    ("base", "adapted", "accepted"),
    [
        (set(), {1, 2, 3, 4}, True),
        (set(), {4}, True),
        ({1}, {1, 2}, True),
        (set(), set(), False),
        ({1}, {1}, False),
        ({1}, {2, 3, 4}, False),
        ({1, 2, 3, 4}, {1, 2, 3, 4}, False),
    ],
)
async def test_more_right_and_none_lost_is_what_is_accepted(
    base: set[int], adapted: set[int], accepted: bool, make_query: MakeQuery
) -> None:
    played = engine(base, adapted)
    records = [record(number) for number in range(1, 5)]
    passed, verdict = await examined(make_query(), played, records)
    assert passed == (base == {1, 2, 3, 4})
    assert verdict is not None
    assert verdict.accepted == accepted


@pytest.mark.parametrize(
    ("base", "adapted", "accepted", "asked"),
    [
        (set(), {12}, True, 16),
        (set(), {3}, True, 4),
        (set(), set(), False, 16),
        ({1}, {1, 12}, False, 4),
        ({11}, {12}, False, 16),
        ({11}, {11, 12}, True, 16),
    ],
)
async def test_where_neither_has_one_right_further_neighbours_are_asked(
    base: set[int],
    adapted: set[int],
    accepted: bool,
    asked: int,
    make_query: MakeQuery,
) -> None:
    """What answers one question in six gains as well; what answers none is refused after all."""
    played = engine(base, adapted)
    held_out, reserve = ([record(n) for n in some] for some in (range(1, 5), range(5, 17)))
    _, verdict = await examined(make_query(), played, held_out, reserve)
    assert verdict is not None
    assert verdict.accepted == accepted
    numbers = {draw.prompt[-1].content for draw in played.drawn if draw.adapter}  # type: ignore[union-attr,index]
    assert len(numbers) == asked


async def test_a_wave_that_the_engine_does_not_answer_is_passed_over(
    make_query: MakeQuery,
) -> None:
    played = engine(set(), {13})
    unreadable = [
        record(n, answer="a long tale", rationale="Once upon a time.") for n in range(5, 11)
    ]
    _, verdict = await examined(make_query(), played, [record(1)], [*unreadable, record(13)])
    assert verdict is not None
    assert verdict.accepted


@pytest.mark.parametrize(("tokens", "final"), [(30, False), (3_000, True)])
async def test_what_a_bound_on_tokens_ends_is_remembered_by_nobody(
    tokens: int, final: bool, make_query: MakeQuery
) -> None:
    query = make_query(budget={"tokens": tokens})
    played = engine(set(), set())
    examination = Examination(
        query, [record(1)], played, None, lambda n: None, [record(n) for n in range(2, 14)]
    )
    examination.begin()
    verdict = await examination.judge(ADAPTER)
    await examination.close()
    assert verdict is not None
    assert not verdict.accepted
    assert (verdict.is_final and not examination.was_cut) == final
    assert (len(played.drawn) < 2 * 13) == (not final), "nothing more is asked once it is spent"


async def test_questions_of_another_form_and_unreadable_solutions_are_not_asked(
    make_query: MakeQuery,
) -> None:
    played = engine(set(), {1, 2, 3})
    others = [
        record(2, request={"tools": [{"type": "function", "function": {"name": "f"}}]}),
        record(3, answer="a long tale", rationale="Once upon a time."),
    ]
    passed, verdict = await examined(make_query(), played, others)
    assert (passed, verdict) == (False, None)
    assert played.drawn == []
    _, verdict = await examined(make_query(), played, [record(1), *others])
    assert verdict is not None
    assert verdict.accepted


async def test_an_engine_that_fails_what_is_asked_has_nothing_compared(
    make_query: MakeQuery,
) -> None:
    played = engine(set(), {1})
    played.failing.add("prompt")
    assert (await examined(make_query(), played, [record(1)]))[1] is None


async def test_an_answer_that_goes_on_and_on_is_not_awaited(make_query: MakeQuery) -> None:
    def script(query: Query, draw: Draw) -> Reply:
        return Reply("again and " * 500, tokens=1000)

    played = FakeEngine(script)
    played.loaded[ADAPTER.name] = ADAPTER
    _, verdict = await examined(make_query(), played, [record(1)])
    assert verdict is not None
    assert not verdict.accepted
    assert played.tokens < 1000


async def test_half_of_the_tokens_allowed_are_left_for_the_answer(make_query: MakeQuery) -> None:
    played = engine(set(), {1, 2, 3}, tokens=20)
    query = make_query(budget={"tokens": 50})
    _, verdict = await examined(query, played, [record(n) for n in (1, 2, 3)])
    assert played.tokens <= 25 + 3, "each of three may be one token further on"
    assert verdict is None or not verdict.accepted


async def test_closing_it_ends_what_is_asked(make_query: MakeQuery) -> None:
    never = asyncio.Event()
    played = FakeEngine(lambda q, d: Reply("#### 1", gate=never))
    query = replace(make_query(), seed=3)
    examination = Examination(query, [record(1), record(2)], played, None, lambda tokens: None)
    examination.begin()
    while len(played.running) < 2:  # noqa: ASYNC110 - the fake has no event for this
        await asyncio.sleep(0)
    await examination.close()
    assert played.running == set()
    assert {draw.seed for draw in played.drawn} == {3}

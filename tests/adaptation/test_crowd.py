"""In a crowd a vote begins with one sample, which foretells others; alone, with all it needs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from adaptation.errors import EngineError
from adaptation.fake_engine import FakeEngine, Reply
from adaptation.pipeline import answer
from adaptation.services import Services
from adaptation.types import Draw, Query
from adaptation.voting.crowd import CROWDED

MakeQuery = Callable[..., Query]
Build = Callable[..., Services]
TOKENS = 8


def waiting(open_: asyncio.Event, failing: bool = False) -> FakeEngine:
    """Every sample says the same, surely, and ends when it may."""

    def script(query: Query, draw: Draw) -> Reply:
        error = "no room" if failing else None
        return Reply("#### 42", tokens=TOKENS, logprob=-0.001, gate=open_, error=error)

    return FakeEngine(script)


async def begun(engine: FakeEngine, built: Services, queries: list[Query]) -> list[int]:
    """Return how many samples each vote begins with, one vote begun after the other."""
    numbers = []
    votes = []
    for query in queries:
        before = len(engine.drawn)
        votes.append(asyncio.create_task(answer(query, built)))
        for _ in range(200):
            await asyncio.sleep(0.001)
        numbers.append(len(engine.drawn) - before)
    for vote in votes:
        vote.cancel()
    await asyncio.gather(*votes, return_exceptions=True)
    return numbers


async def test_votes_begin_side_by_side_until_there_is_a_crowd(
    make_query: MakeQuery, services: Build
) -> None:
    engine = waiting(asyncio.Event())
    built = services(engine, stopping_rule="fixed")
    queries = [make_query(strategy="consistency", max_samples=8) for _ in range(4)]
    numbers = await begun(engine, built, queries)
    assert numbers == [8, 8, 1, 1], f"two votes of eight make a crowd of {CROWDED}"


async def test_a_setting_goes_before_the_crowd(make_query: MakeQuery, services: Build) -> None:
    engine = waiting(asyncio.Event())
    built = services(engine, stopping_rule="fixed", first_samples=3)
    queries = [make_query(strategy="consistency", max_samples=8) for _ in range(8)]
    assert set(await begun(engine, built, queries)) == {3}


@pytest.mark.parametrize(
    "asked",
    [{"query_seed": 7}, {"temperature": 1.5}, {"query_is_bent": True}, {"query_choices": 2}],
    ids=str,
)
async def test_a_vote_whose_first_sample_may_foretell_nothing_begins_in_a_crowd_as_elsewhere(
    asked: dict[str, Any], make_query: MakeQuery, services: Build
) -> None:
    """And a seeded one, which is the same whoever else asks."""
    engine = waiting(asyncio.Event())
    built = services(engine, stopping_rule="fixed")
    queries = [make_query(strategy="consistency", max_samples=8, **asked) for _ in range(3)]
    assert await begun(engine, built, queries) == [8, 8, 8]


@pytest.mark.parametrize(("failed", "drawn"), [(1, 8), (8, 2)])
async def test_a_first_sample_that_fails_alone_is_drawn_once_more(
    failed: int, drawn: int, make_query: MakeQuery, services: Build
) -> None:
    def script(query: Query, draw: Draw) -> Reply:
        return Reply("#### 42", error="no room" if draw.index < failed else None)

    engine = FakeEngine(script)
    built = services(engine, stopping_rule="fixed")
    crowd = [asyncio.create_task(asyncio.sleep(60)) for _ in range(CROWDED)]
    for sample in crowd:
        built.crowd.enter(sample)
    query = make_query(strategy="consistency", max_samples=8, temperature=1.0)
    outcome, *_ = await asyncio.gather(answer(query, built), return_exceptions=True)
    for sample in crowd:
        sample.cancel()
    assert isinstance(outcome, EngineError) == (failed > 1), outcome
    assert len(engine.drawn) == drawn


@pytest.mark.parametrize("failing", [False, True])
async def test_who_has_ended_is_in_no_crowd(
    failing: bool, make_query: MakeQuery, services: Build
) -> None:
    open_ = asyncio.Event()
    open_.set()
    engine = waiting(open_, failing)
    built = services(engine, stopping_rule="fixed")
    for _ in range(3):
        query = make_query(strategy="consistency", max_samples=16)
        await asyncio.gather(answer(query, built), return_exceptions=True)
    before, closed = len(engine.drawn), asyncio.Event()
    engine.script = waiting(closed).script
    await begun(engine, built, [make_query(strategy="consistency", max_samples=8)])
    assert len(engine.drawn) - before == 8


async def test_in_a_crowd_answers_and_votes_are_the_same_for_fewer_tokens(
    make_query: MakeQuery, services: Build
) -> None:
    open_ = asyncio.Event()
    open_.set()
    engine = waiting(open_)
    alone, beside = services(engine, stopping_rule="fixed"), services(engine, stopping_rule="fixed")
    for _ in range(CROWDED):
        beside.crowd.enter(asyncio.create_task(asyncio.Event().wait()))  # type: ignore[arg-type]
    spent = {}
    found: dict[str, Counter[str | None]] = {}
    for name, built in (("alone", alone), ("beside", beside)):
        before = engine.tokens
        query = make_query(strategy="consistency", max_samples=8, temperature=1.0)
        report = (await answer(query, built)).report
        assert report.votes is not None
        spent[name] = engine.tokens - before
        found[name] = Counter({vote.answer: vote.count for vote in report.votes})
    assert found["beside"] == found["alone"] == Counter({"42": 8})
    assert spent["beside"] < spent["alone"] == 8 * TOKENS

"""A vote over prose does not wait for a sample that rambles, and loses no answer by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.pipeline import answer
from adaptation.services import Services
from adaptation.types import Draw, Outcome, Query, Sample
from adaptation.voting.stragglers import FACTOR, FLOOR_TOKENS, Stragglers

MakeQuery = Callable[..., Query]
Build = Callable[..., Services]
RAMBLES = Reply("On and on it goes, with no end in sight. " * 200, tokens=8_000)
GREETINGS = ("Hello there!", "Hi, how are you?", "Good day to you.", "Hey! What can I do?")


def greets(*ramblers: int, tokens: int = 20) -> FakeEngine:
    """Samples that all greet in other words, but for those that ramble."""

    def script(query: Query, draw: Draw) -> Reply:
        if draw.index in ramblers:
            return RAMBLES
        return Reply(GREETINGS[draw.index % len(GREETINGS)], tokens=tokens)

    return FakeEngine(script)


async def held(
    make_query: MakeQuery,
    services: Build,
    engine: FakeEngine,
    policy: Mapping[str, Any] | None = None,
    **asked: Any,
) -> Outcome:
    query = make_query("hey", strategy="consistency", **asked)
    outcome = await answer(query, services(engine, **(policy or {})))
    counts, tokens = outcome.report.samples, outcome.report.tokens
    assert not engine.running
    assert tokens.generated == engine.tokens, "every token is on the bill"
    assert counts.started == counts.finished + counts.cancelled
    assert counts.cut <= counts.cancelled
    return outcome


@pytest.mark.parametrize("seed", [None, 7])
@pytest.mark.parametrize("rambler", [0, 2])
async def test_a_vote_over_prose_ends_without_its_straggler(
    make_query: MakeQuery, services: Build, rambler: int, seed: int | None
) -> None:
    engine = greets(rambler)
    outcome = await held(make_query, services, engine, query_seed=seed)
    report = outcome.report
    assert (report.samples.started, report.samples.finished, report.samples.cut) == (4, 3, 1)
    assert engine.cancelled == {rambler}, "the engine was told"
    assert FLOOR_TOKENS < report.tokens.cancelled < FLOOR_TOKENS + 10
    assert outcome.samples[0].finish_reason == "stop"
    assert outcome.samples[0].text in GREETINGS
    assert report.votes is not None
    assert report.votes[-1].answer is None, "it casts no vote"


async def test_a_sample_may_have_so_many_times_the_tokens_of_the_longest_that_ended(
    make_query: MakeQuery, services: Build
) -> None:
    engine = greets(1, tokens=FLOOR_TOKENS)
    report = (await held(make_query, services, engine)).report
    assert FACTOR * FLOOR_TOKENS < report.tokens.cancelled < FACTOR * FLOOR_TOKENS + 10


@pytest.mark.parametrize("length", [FLOOR_TOKENS, FLOOR_TOKENS - 1])
async def test_what_is_not_so_long_is_waited_for(
    make_query: MakeQuery, services: Build, length: int
) -> None:
    def script(query: Query, draw: Draw) -> Reply:
        return Reply(GREETINGS[draw.index], tokens=length if draw.index == 3 else 2)

    report = (await held(make_query, services, FakeEngine(script))).report
    assert (report.samples.finished, report.samples.cut) == (4, 0)


async def test_a_long_answer_is_waited_for_where_answers_can_be_read(
    make_query: MakeQuery, services: Build
) -> None:
    """Three hasty samples err, each in its own way; those that think for long are right."""

    def script(query: Query, draw: Draw) -> Reply:
        if draw.index < 3:
            return Reply(f"That is {draw.index}.\n#### {draw.index}", tokens=10)
        return Reply("Let me think step by step.\n#### 42", tokens=2_000)

    engine = FakeEngine(script)
    report = (await held(make_query, services, engine, max_samples=8)).report
    assert report.answer == "42"
    assert report.samples.cut == 0


async def test_one_answer_among_those_that_ended_is_enough_to_wait(
    make_query: MakeQuery, services: Build
) -> None:
    def script(query: Query, draw: Draw) -> Reply:
        if draw.index == 3:
            return Reply("Let me think.\n#### 42", tokens=2_000)
        return Reply("#### 42" if draw.index == 1 else GREETINGS[draw.index], tokens=10)

    report = (await held(make_query, services, FakeEngine(script), max_samples=4)).report
    assert (report.answer, report.samples.cut) == ("42", 0)
    assert report.votes is not None
    assert report.votes[0].count == 2


@pytest.mark.parametrize(
    ("policy", "asked"),
    [
        ({"straggler_factor": None}, {}),
        ({}, {"answer": {"kind": "math"}}),
        ({}, {"answer": {"kind": "regex", "pattern": "no end"}}),
        ({}, {"verifiers": [{"type": "regex", "pattern": "no end"}]}),
        ({}, {"query_choices": 4, "max_samples": 4}),
    ],
    ids=["switched off", "sums", "patterns", "verifiers", "every choice"],
)
async def test_where_a_long_sample_may_matter_it_is_waited_for(
    make_query: MakeQuery, services: Build, policy: dict[str, Any], asked: dict[str, Any]
) -> None:
    report = (await held(make_query, services, greets(1), policy, **asked)).report
    assert report.samples.cut == 0
    assert report.tokens.generated >= RAMBLES.tokens


async def test_of_several_choices_none_is_a_straggler(
    make_query: MakeQuery, services: Build
) -> None:
    engine = greets(0)
    outcome = await held(make_query, services, engine, query_choices=3)
    assert [sample.finish_reason for sample in outcome.samples] == ["stop"] * 3
    assert engine.cancelled == {0}


@pytest.mark.parametrize(("ramblers", "cut"), [((0, 1), 2), ((0, 1, 2), 0)])
async def test_half_of_the_samples_have_to_have_ended(
    make_query: MakeQuery, services: Build, ramblers: tuple[int, ...], cut: int
) -> None:
    report = (await held(make_query, services, greets(*ramblers))).report
    assert report.samples.cut == cut


async def test_where_prose_agrees_the_vote_goes_on_without_the_straggler(
    make_query: MakeQuery, services: Build
) -> None:
    def script(query: Query, draw: Draw) -> Reply:
        return RAMBLES if draw.index == 1 else Reply("Hello there!", tokens=20)

    engine = FakeEngine(script)
    report = (await held(make_query, services, engine)).report
    assert report.answer == "Hello there!"
    assert engine.cancelled == {1}
    assert report.tokens.generated < 2 * FLOOR_TOKENS


def test_replies_to_something_else_say_nothing_of_a_sample(make_query: MakeQuery) -> None:
    """A strategy asks for a plan in a line, and then for the whole of it."""
    stragglers = Stragglers(make_query(), FACTOR)
    short, whole = object(), object()
    for index, prompt in enumerate([short, short, short, whole]):
        stragglers.begun(Draw(index, f"{index}", None, None, None, prompt))
    for index in range(3):
        stragglers.ended(Sample(index, GREETINGS[index], 5, "stop"))
    assert stragglers.cut_off(Sample(3, "A long plan", 5_000, None)) is None


def test_samples_that_were_cut_count_as_ended_but_not_as_long(make_query: MakeQuery) -> None:
    stragglers = Stragglers(make_query(), FACTOR)
    for index in range(4):
        stragglers.begun(Draw(index, f"{index}", None, None, None))
    stragglers.ended(Sample(0, "Hello", 5, "stop"))
    for index in (1, 2):
        stragglers.ended(Sample(index, "and and and", 2_000, "length"))
    cut = stragglers.cut_off(Sample(3, "On and on", FLOOR_TOKENS + 1, None))
    assert cut is not None
    assert cut.finish_reason == "length"


def test_where_all_were_cut_nobody_knows_how_long_a_sample_is(make_query: MakeQuery) -> None:
    stragglers = Stragglers(make_query(), FACTOR)
    for index in range(4):
        stragglers.begun(Draw(index, f"{index}", None, None, None))
    for index in range(3):
        stragglers.ended(Sample(index, "and and and", 2_000, "length"))
    assert stragglers.cut_off(Sample(3, "On and on", 9_000, None)) is None

"""What is asked besides the votes: its bounds, its context, and what becomes of its failures."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from adaptation.errors import DeadlineError, EngineError
from adaptation.fake_engine import FakeEngine, Reply
from adaptation.options import Strategy
from adaptation.pipeline import answer
from adaptation.report import StopReason
from adaptation.types import Draw, Query
from adaptation.verifiers import build_verifiers
from memory.memory import LongTermMemory
from memory.types import Message
from tests.adaptation.lamps import ASK, remember_examples
from tests.adaptation.strategies.playing import (
    Build,
    MakeQuery,
    asked,
    final,
    playing,
    run,
    voluble,
)


@pytest.mark.parametrize("is_verified", [False, True])
@pytest.mark.parametrize(("most", "choices"), [(1, 1), (2, 2), (5, 5), (8, 5), (16, 15)])
@pytest.mark.parametrize("strategy", Strategy)
async def test_whatever_is_asked_besides_there_are_as_many_choices_as_wanted(
    strategy: Strategy,
    most: int,
    choices: int,
    is_verified: bool,
    make_query: MakeQuery,
    services: Build,
    memory: LongTermMemory,
) -> None:
    remember_examples(memory, 12)
    specs = [{"type": "math", "reference": "-1"}] if is_verified else []
    query = make_query(
        ASK,
        strategy=strategy,
        max_samples=most,
        query_choices=choices,
        query_can_be_reworded=True,
        query_verifiers=await build_verifiers(specs),
    )
    outcome = await answer(query, services(FakeEngine(voluble)))
    assert [sample.finish_reason for sample in outcome.samples] == ["stop"] * choices
    assert all(sample.text.startswith("So it is.") for sample in outcome.samples)
    assert outcome.report.samples.started <= most


@pytest.mark.parametrize("tokens", [3, 4, 8, 12, 20])
@pytest.mark.parametrize("strategy", ["refine", "reflexion", "debate", "decompose"])
async def test_what_is_asked_besides_leaves_tokens_for_the_answer_and_is_none(
    strategy: str, tokens: int, make_query: MakeQuery, services: Build
) -> None:
    engine = FakeEngine(voluble)
    query = make_query(
        ASK,
        strategy=strategy,
        budget={"tokens": tokens},
        query_can_be_reworded=True,
        query_verifiers=await build_verifiers([{"type": "math", "reference": "-1"}]),
    )
    outcome = await answer(query, services(engine))
    assert "So it is.".startswith(outcome.samples[0].text[:9])
    assert outcome.report.tokens.generated == engine.tokens


async def test_a_budget_that_no_answer_fits_into_is_named(
    make_query: MakeQuery, services: Build
) -> None:
    with pytest.raises(DeadlineError, match="allow more tokens"):
        await run(make_query, services(FakeEngine(voluble)), "decompose", budget={"tokens": 1})


async def test_a_long_reply_besides_the_votes_is_cut_and_billed_to_the_last_token(
    make_query: MakeQuery, services: Build
) -> None:
    def script(query: Query, draw: Draw) -> Reply:
        # The engine has generated more than it has given out when it is told to end.
        return Reply("1. How many? " * 9, tokens=90, bundle=7) if draw.is_aside else final("42")

    engine = FakeEngine(script)
    report = await run(make_query, services(engine), "decompose", budget={"tokens": 40})
    assert report.answer == "42"
    assert report.tokens.generated == engine.tokens
    assert 20 <= report.tokens.cancelled < 40
    assert "besides the votes took half of the tokens" in report.reason


@pytest.mark.parametrize("hanging", [0, 2, 4])
async def test_a_reply_besides_the_votes_that_does_not_end_leaves_time_for_them(
    hanging: int, make_query: MakeQuery, services: Build
) -> None:
    def script(query: Query, draw: Draw) -> Reply:
        hangs = draw.is_aside and draw.index >= hanging
        return replace(voluble(query, draw), gate=asyncio.Event() if hangs else None)

    engine = FakeEngine(script)
    report = await run(
        make_query, services(engine), "decompose", query_deadline=time.monotonic() + 0.6
    )
    assert report.stop_reason is not StopReason.DEADLINE
    assert report.answer in ("0", "1", "2")
    assert report.tokens.generated == engine.tokens


@pytest.mark.parametrize("strategy", ["refine", "reflexion"])
async def test_a_deadline_within_a_strategy_is_named_as_what_ended_it(
    strategy: str, make_query: MakeQuery, services: Build
) -> None:
    def script(query: Query, draw: Draw) -> Reply:
        told = voluble(query, draw)
        said = "The sum is off. Verdict: wrong" if draw.is_aside else told.text
        return Reply(said, gate=asyncio.Event() if draw.index >= 9 else None)

    verifiers = await build_verifiers([{"type": "math", "reference": "-1"}])
    report = await run(
        make_query,
        services(FakeEngine(script)),
        strategy,
        query_verifiers=verifiers if strategy == "reflexion" else (),
        query_deadline=time.monotonic() + 0.6,
    )
    assert report.stop_reason is StopReason.DEADLINE


@pytest.mark.parametrize("strategy", ["refine", "reflexion", "decompose"])
async def test_what_is_asked_besides_knows_what_was_said_before(
    strategy: str, make_query: MakeQuery, services: Build
) -> None:
    engine = FakeEngine(voluble)
    before = (
        Message(role="system", content="A lamp is a sum."),
        Message(role="user", content="What is 3 lamp 3?"),
        Message(role="assistant", content="6"),
    )
    query = make_query(
        "And of fives?",
        strategy=strategy,
        query_can_be_reworded=True,
        query_verifiers=await build_verifiers([{"type": "math", "reference": "-1"}])
        if strategy == "reflexion"
        else (),
    )
    await answer(replace(query, messages=(*before, *query.messages)), services(engine))
    asides = [draw.prompt for draw in engine.drawn if draw.is_aside]
    assert asides
    assert all(prompt[:3] == before for prompt in asides)  # type: ignore[index]


async def test_one_try_that_the_engine_fails_is_not_the_last(
    make_query: MakeQuery, services: Build
) -> None:
    def script(told: str, draw: Draw) -> Reply:
        return Reply("", error="no room") if draw.index == 0 else final("42")

    verifiers = await build_verifiers([{"type": "math", "reference": "42"}])
    report = await run(
        make_query, services(playing(script)), "reflexion", query_verifiers=verifiers
    )
    assert (report.answer, report.stop_reason) == ("42", StopReason.VERIFIED)


async def test_an_engine_that_fails_every_try_is_asked_no_more(
    make_query: MakeQuery, services: Build
) -> None:
    engine = playing(lambda told, draw: Reply("", error="no room"))
    verifiers = await build_verifiers([{"type": "math", "reference": "42"}])
    with pytest.raises(EngineError, match="no room"):
        await run(make_query, services(engine), "reflexion", query_verifiers=verifiers)
    assert len(engine.drawn) == 2


async def test_notes_that_do_not_fit_are_left_out(make_query: MakeQuery, services: Build) -> None:
    class Narrow(FakeEngine):
        def prompt(self, query: Query, messages: Any) -> object:
            self.failing = {"prompt"} if len(messages) > 1 else set()
            return super().prompt(query, messages)

    built = services(Narrow(lambda query, draw: final("42")))
    built.memory.notes.add("default", "sums", "asked", ["far too long a note"])
    verifiers = await build_verifiers([{"type": "math", "reference": "42"}])
    task = {"task": "sums"}
    report = await run(make_query, built, "reflexion", query_verifiers=verifiers, memory=task)
    assert (report.answer, report.samples.started) == ("42", 1)


async def test_a_try_sees_the_latest_notes_only_and_none_where_memory_is_not_read(
    make_query: MakeQuery, services: Build
) -> None:
    built = services(engine := FakeEngine(voluble))
    built.memory.notes.add("default", "sums", "asked", ["first", "second"])
    built.memory.notes.add("default", "sums", "asked", ["third", "fourth"])
    assert built.memory.notes.of("default", "sums") == ("second", "third", "fourth")
    verifiers = await build_verifiers([{"type": "math", "reference": "-1"}])
    unread = {"task": "sums", "read": False, "write": False}
    await run(make_query, built, "reflexion", query_verifiers=verifiers, memory=unread)
    tries = [asked(draw, make_query(ASK)) for draw in engine.drawn if not draw.is_aside]
    assert not any("fourth" in told for told in tries)
    assert [told.count("A try failed") for told in tries] == [0, 1, 2, 3, 3, 3, 3, 3]


async def test_debates_have_a_speaker_for_each_choice(
    make_query: MakeQuery, services: Build
) -> None:
    report = await run(
        make_query, services(playing(lambda told, draw: "42")), "debate", query_choices=5
    )
    assert (report.strategy, report.samples.started) == (Strategy.DEBATE, 5)

"""A sample that an earlier one foretells is not generated to its end."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.pipeline import answer
from adaptation.report import Report
from adaptation.services import Services
from adaptation.types import Draw, Query
from adaptation.voting.foregone import SURE, certain_from

MakeQuery = Callable[..., Query]
Build = Callable[..., Services]
TOKENS = 8
CERTAIN = -0.001
"""Of each token: eight of them together are surer than `SURE`."""


def said(texts: tuple[str, ...], logprob: float | None = CERTAIN) -> FakeEngine:
    """Samples say the texts in turn."""

    def script(query: Query, draw: Draw) -> Reply:
        text = f"Let us see, one by one.\n#### {texts[draw.index % len(texts)]}"
        return Reply(text, tokens=TOKENS, logprob=logprob)

    return FakeEngine(script)


async def voted(
    make_query: MakeQuery, services: Build, engine: FakeEngine, **more: object
) -> Report:
    asked = {"strategy": "consistency", "max_samples": 8, "temperature": 1.0, **more}
    outcome = await answer(make_query(**asked), services(engine, stopping_rule="fixed"))
    assert outcome.report.tokens.generated == engine.tokens, "every token is on the bill"
    assert not engine.running
    assert "####" in outcome.samples[0].text, "what is returned is whole"
    return outcome.report


def one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each sample begin when the one before it has been counted."""
    monkeypatch.setattr("adaptation.voting.voting.next_wave", lambda *given: 1)
    monkeypatch.setattr("adaptation.voting.voting.IN_FLIGHT", 1)


async def test_what_is_foregone_counts_and_is_not_generated(
    make_query: MakeQuery, services: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_after_the_other(monkeypatch)
    engine = said(("42",))
    report = await voted(make_query, services, engine)
    assert report.votes is not None
    assert (report.answer, report.votes[0].count) == ("42", 8)
    assert (report.samples.started, report.samples.finished) == (8, 8)
    assert engine.tokens < TOKENS + 7 * 3, "the first is whole, the others end where it is certain"


async def test_the_first_sample_may_be_drawn_before_all_others(
    make_query: MakeQuery, services: Build
) -> None:
    engine = said(("42",))
    built = services(engine, stopping_rule="fixed", first_samples=1)
    asked = make_query(strategy="consistency", max_samples=8, temperature=1.0)
    report = (await answer(asked, built)).report
    assert report.votes is not None
    assert report.votes[0].count == 8
    assert engine.tokens < TOKENS + 7 * 3


@pytest.mark.parametrize(
    "more",
    [
        {"temperature": 1.2},
        {"query_is_bent": True},
        {"query_choices": 2},
    ],
)
async def test_where_log_probabilities_say_too_little_all_is_generated(
    more: dict[str, object],
    make_query: MakeQuery,
    services: Build,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one_after_the_other(monkeypatch)
    engine = said(("42",))
    await voted(make_query, services, engine, **more)
    assert engine.tokens == 8 * TOKENS


@pytest.mark.parametrize("logprob", [None, -0.5, 3.0])
async def test_what_is_open_is_generated(
    logprob: float | None,
    make_query: MakeQuery,
    services: Build,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one_after_the_other(monkeypatch)
    engine = said(("42",), logprob)
    await voted(make_query, services, engine)
    assert engine.tokens == 8 * TOKENS


async def test_samples_that_run_side_by_side_foretell_nothing(
    make_query: MakeQuery, services: Build
) -> None:
    engine = said(("42",))
    await voted(make_query, services, engine)
    assert engine.tokens == 8 * TOKENS


async def test_another_answer_is_its_own(
    make_query: MakeQuery, services: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They part with the first letter, long before anything is certain."""
    one_after_the_other(monkeypatch)

    def script(query: Query, draw: Draw) -> Reply:
        number = draw.index % 2
        return Reply(f"{number}. Let us see.\n#### {number}", tokens=TOKENS, logprob=-0.002)

    report = await voted(make_query, services, FakeEngine(script))
    assert report.votes is not None
    assert [vote.count for vote in report.votes] == [4, 4]


@given(st.lists(st.floats(-3.0, 0.0), max_size=40))
def test_what_is_certain_has_the_probability_that_it_is_said_to_have(logprobs: list[float]) -> None:
    place = certain_from(logprobs)
    assert math.fsum(logprobs[place:]) >= math.log(SURE) - 1e-9
    if place:
        assert math.fsum(logprobs[place - 1 :]) < math.log(SURE) + 1e-9

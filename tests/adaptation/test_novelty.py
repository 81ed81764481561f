"""How far the reasoning of samples is spread, and what that weighs in a vote."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.pipeline import answer
from adaptation.services import Services
from adaptation.types import Draw, Query, Sample
from adaptation.voting.novelty import Novelty, mean_novelty, steps_of
from adaptation.voting.tally import Tally
from adaptation.voting.weights import NAMES, WEIGHTS, weighing
from memory.identity.answers import Answer, canonical

MakeQuery = Callable[..., Query]
Build = Callable[..., Services]

ONE, OTHER = "Add 40 and 2.\n#### 42", "Take 8 from 50.\n#### 42"
texts = st.lists(st.text("ab. \n", max_size=12), max_size=8)


def sample(index: int, text: str) -> Sample:
    return Sample(index, text, 4, "stop")


def samples(*said: str) -> list[Sample]:
    return [sample(index, text) for index, text in enumerate(said)]


def test_a_step_ends_with_its_sentence_or_its_line_and_its_form_does_not_matter() -> None:
    assert steps_of("Add  Them. Then halve!\n\n so: 4") == ["add them.", "then halve!", "so: 4"]
    assert steps_of(" \n ") == []


def test_the_first_sample_is_all_new_a_repeated_one_is_not_and_one_in_between_is_in_between() -> (
    None
):
    first, again, half, empty = samples(ONE, ONE.upper(), OTHER, "")
    novelty = Novelty()
    assert [novelty(each) for each in (first, again, half, empty)] == [1.0, 0.0, 0.5, 0.0]


@given(texts)
def test_counting_anew_changes_no_weight(said: list[str]) -> None:
    novelty, drawn = Novelty(), samples(*said)
    once = [novelty(each) for each in drawn]
    assert [novelty(each) for each in reversed(drawn)] == once[::-1]
    assert all(0.0 <= share <= 1.0 for share in once)


def test_a_tally_that_counts_anew_weighs_as_before() -> None:
    """`5` counts with `5 km` until another names `5 m`: then all are counted anew."""
    tally = Tally(weighing("novelty"))
    for index, text in enumerate(["5", "5 km", "5 m"]):
        answer = Answer(text, canonical(text), structured=True)
        tally.add(sample(index, f"Step {index}. It is five."), answer)
    weights = {entry.answer: entry.weight for entry in tally.report()}
    assert weights == {"5": 1.0, "5 km": 0.5, "5 m": 0.5}


def test_the_mean_leaves_out_the_first_sample_and_goes_by_the_draws() -> None:
    first, again, half = samples(ONE, ONE, OTHER)
    assert mean_novelty([half, first, again]) == pytest.approx((0.0 + 0.5) / 2)
    assert mean_novelty([first]) is None
    assert mean_novelty([]) is None


def test_every_vote_has_a_memory_of_its_own() -> None:
    for _ in range(2):
        assert weighing("novelty")(sample(0, ONE)) == 1.0
    assert set(NAMES) == set(WEIGHTS) | {"novelty"}


def replying(*said: str) -> FakeEngine:
    def script(query: Query, draw: Draw) -> Reply:
        return Reply(said[draw.index % len(said)])

    return FakeEngine(script)


async def test_the_report_says_how_new_the_samples_were(
    make_query: MakeQuery, services: Build
) -> None:
    alike = await answer(make_query(max_samples=4), services(replying(ONE)))
    assert alike.report.novelty == 0.0
    spread = await answer(make_query(max_samples=2), services(replying(ONE, OTHER)))
    assert spread.report.novelty == 0.5
    single = await answer(make_query(max_samples=1), services(replying(ONE)))
    assert single.report.novelty is None


async def test_two_ways_to_an_answer_outweigh_one_that_is_repeated(
    make_query: MakeQuery, services: Build
) -> None:
    parrot = "Guess.\n#### 7"
    engine = replying(parrot, parrot, parrot, ONE, OTHER)
    asked = make_query(max_samples=5, confidence=0.99, query_seed=1)
    built = services(engine, vote_weight="novelty", stopping_rule="fixed")
    report = (await answer(asked, built)).report
    assert report.votes is not None
    assert [(vote.answer, vote.count, vote.weight) for vote in report.votes] == [
        ("42", 2, 1.5),
        ("7", 3, 1.0),
    ]

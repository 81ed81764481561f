"""What is expected of going on, from what was seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.evidence import Known
from adaptation.options import Strategy
from adaptation.strategies import STRATEGIES
from adaptation.strategies.worth import ENOUGH, PRIOR, STRENGTH, best, expected, proven
from memory.history.ledger import Seen

WAYS = list(PRIOR)
counts = st.integers(0, 500)


def test_without_evidence_the_prior_decides() -> None:
    assert best(expected(WAYS, Known()), price=0.002) == [Strategy.TTT, Strategy.DEMONSTRATIONS]


def test_what_hurt_more_than_it_helped_is_paused_and_what_helps_again_is_not() -> None:
    hurt = Known({"ttt": Seen(asked=9, helped=1, hurt=ENOUGH)})
    assert best(expected(WAYS, hurt)) == [Strategy.DEMONSTRATIONS]
    again = Known({"ttt": Seen(asked=20, helped=ENOUGH + 1, hurt=ENOUGH)})
    assert Strategy.TTT in best(expected(WAYS, again))


def test_a_neighbourhood_may_differ_from_its_tenant() -> None:
    known = Known(
        {"ttt": Seen(asked=50, helped=25, tied=25)},
        {"ttt": Seen(asked=8, hurt=6, tied=2)},
    )
    assert best(expected(WAYS, known)) == [Strategy.DEMONSTRATIONS]


def test_what_costs_more_than_it_gains_is_not_chosen() -> None:
    assert best(expected(WAYS, Known()), price=0.02) == []


def test_what_helps_on_most_questions_near_is_proven_and_on_others_is_not() -> None:
    often = Seen(asked=6, helped=5, tied=1)
    assert proven(WAYS, Known(near={"ttt": often})) is Strategy.TTT
    assert proven(WAYS, Known(of_tenant={"ttt": often})) is None
    assert proven(WAYS, Known(near={"ttt": Seen(asked=4, helped=4)})) is None
    assert proven(WAYS, Known(near={"ttt": Seen(asked=9, helped=5, hurt=1, tied=3)})) is None


def test_what_is_judged_wrong_since_it_is_done_at_once_is_proven_no_longer() -> None:
    """Of answers without a vote before them nobody knows what a vote would have said."""
    seen = Seen(asked=6, judged=6, right=6, helped=5, tied=1)
    once = Seen(asked=8, judged=7, right=0)
    assert proven(WAYS, Known(near={"ttt": seen})) is Strategy.TTT
    assert proven(WAYS, Known(near={"ttt": seen + once})) is None


def test_costs_follow_what_was_spent() -> None:
    dear = Known({"ttt": Seen(asked=90, tied=90, tokens=900_000)})
    (worth,) = expected([Strategy.TTT], dear, per_sample=100.0).values()
    assert worth.samples == pytest.approx((STRENGTH * PRIOR[Strategy.TTT].samples + 9_000) / 100)


@given(counts, counts, counts)
def test_expectations_are_probabilities_and_follow_what_was_seen(
    helped: int, hurt: int, tied: int
) -> None:
    seen = Seen(asked=helped + hurt + tied, helped=helped, hurt=hurt, tied=tied)
    before = PRIOR[Strategy.TTT]
    (worth,) = expected([Strategy.TTT], Known({"ttt": seen})).values()
    assert 0 <= worth.helps <= 1
    assert 0 <= worth.hurts <= 1
    if seen.paired:
        share = helped / seen.paired
        assert min(before.helps, share) - 1e-9 <= worth.helps <= max(before.helps, share) + 1e-9


def test_auto_weighs_no_strategy_that_is_experimental() -> None:
    assert not any(STRATEGIES[way].is_experimental for way in PRIOR)

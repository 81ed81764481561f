"""What a trial decides, and how often it errs."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.learning.distillation.evidence import mixture
from adaptation.learning.distillation.release import (
    ALPHA,
    MOST_PAIRS,
    MOST_SHADOW_PAIRS,
    MOST_SHADOWS,
    Verdict,
    decide,
    decide_shadow,
)

Outcomes = list[tuple[str, bool]]


def drawn(rng: Random, candidate: float, control: float, count: int = 4_000) -> Outcomes:
    """A tenth of the answers are the candidate's; each arm is right as often as is said."""
    chance = {"candidate": candidate, "control": control}
    arms = ["candidate" if rng.random() < 0.1 else "control" for _ in range(count)]
    return [(arm, rng.random() < chance[arm]) for arm in arms]


def test_before_anything_is_known_the_bet_is_worth_its_stake() -> None:
    assert mixture(0, 0) == 1
    assert mixture(1, 0) == pytest.approx(1.5)
    assert mixture(0, 1) == pytest.approx(0.5)


@given(helped=st.integers(0, 40), hurt=st.integers(0, 40))
def test_a_fair_coin_leaves_the_wealth_as_it_is(helped: int, hurt: int) -> None:
    after = (mixture(helped + 1, hurt) + mixture(helped, hurt + 1)) / 2
    assert after == pytest.approx(mixture(helped, hurt))


def share(verdict: Verdict, candidate: float, control: float, runs: int = 50) -> float:
    rng = Random(7)
    found = [decide(drawn(rng, candidate, control)).verdict for _ in range(runs)]
    return found.count(verdict) / runs


def test_one_that_is_worse_is_taken_back_and_one_that_is_better_promoted() -> None:
    assert share(Verdict.TAKE_BACK, 0.6, 0.8) >= 0.99
    assert share(Verdict.PROMOTE, 0.8, 0.6) >= 0.99


def test_of_equally_good_ones_few_are_decided_on_before_the_end() -> None:
    rng = Random(11)
    early = [
        decision
        for decision in (decide(drawn(rng, 0.7, 0.7, 6_000)) for _ in range(100))
        if decision.pairs < MOST_PAIRS
    ]
    assert len(early) / 100 <= 2 * ALPHA + 0.04, "each side errs once in twenty runs at most"


def test_a_decision_once_made_stays_made_however_it_goes_on() -> None:
    helped: Outcomes = [("candidate", True), ("control", False)] * 12
    decision = decide(helped)
    assert decision.verdict is Verdict.PROMOTE
    assert decide([*helped, *[("candidate", False), ("control", True)] * 50]) == decision
    assert decision.reason.endswith(f"helped {decision.helped}, hurt 0")


@pytest.mark.parametrize(
    "outcomes",
    [
        [],
        [("candidate", True)] * 50,
        [("control", False)] * 50,
        [("candidate", True), ("control", True)] * 100,
        [("candidate", True), ("control", False)] * 3,
    ],
)
def test_without_pairs_that_differ_it_waits(outcomes: Outcomes) -> None:
    assert decide(outcomes).verdict is Verdict.WAIT


def test_one_that_never_hurt_stays_when_the_trial_has_lasted_long_enough() -> None:
    alike: Outcomes = [("candidate", True), ("control", True)] * MOST_PAIRS
    assert decide(alike).verdict is Verdict.PROMOTE
    once: Outcomes = [("candidate", False), ("control", True)]
    assert decide([*once, *alike]).verdict is Verdict.TAKE_BACK


def test_a_shadow_ends_by_harm_by_gain_or_when_it_has_lasted_long_enough() -> None:
    hurt, helped, same = (False, True), (True, False), (True, True)
    assert decide_shadow([hurt] * 9, 9).verdict is Verdict.TAKE_BACK
    assert decide_shadow([helped] * 9, 9).verdict is Verdict.PROMOTE
    assert decide_shadow([same] * (MOST_SHADOW_PAIRS - 1), 99).verdict is Verdict.WAIT
    assert decide_shadow([same] * MOST_SHADOW_PAIRS, 100).verdict is Verdict.PROMOTE
    # Of most questions nobody can say who was right.
    assert decide_shadow([], MOST_SHADOWS - 1).verdict is Verdict.WAIT
    assert decide_shadow([], MOST_SHADOWS).verdict is Verdict.PROMOTE
    assert decide_shadow([helped, hurt, hurt], MOST_SHADOWS).verdict is Verdict.TAKE_BACK

"""Stopping rules, each against its definition and against simulated votes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betainc

from adaptation.stopping import RULES, BetaRule, CertainRule, StoppingRule, next_wave
from adaptation.stopping.beta import leader_probability
from adaptation.types import StopReason

counts_and_remaining = st.tuples(
    st.lists(st.integers(1, 12), max_size=5).map(lambda votes: sorted(votes, reverse=True)),
    st.integers(0, 16),
)


@given(st.integers(0, 40), st.integers(0, 40))
def test_leader_probability_is_the_incomplete_beta_function(leader: int, runner_up: int) -> None:
    expected = 1 - betainc(leader + 1, runner_up + 1, 0.5)
    assert leader_probability(leader, runner_up) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("counts", "stops"),
    [([4], True), ([3], False), ([5, 1], False), ([6, 1], True), ([], False), ([1, 1], False)],
)
def test_beta_stops_at_the_published_counts(counts: list[int], stops: bool) -> None:
    reason = BetaRule().stop(counts, remaining=9, confidence=0.95)
    assert (reason is StopReason.CONFIDENT) == stops


@given(counts_and_remaining)
def test_a_certain_winner_survives_every_continuation(case: tuple[list[int], int]) -> None:
    counts, remaining = case
    if CertainRule().stop(counts, remaining, 0.95) is StopReason.CERTAIN:
        worst = [*counts[1:], 0]
        worst[0] += remaining
        assert counts[0] > max(worst)


@given(counts_and_remaining)
def test_every_rule_stops_when_nothing_is_left_to_draw(case: tuple[list[int], int]) -> None:
    counts, _ = case
    for rule in RULES.values():
        assert rule().stop(counts, 0, 0.99) is not None


@given(counts_and_remaining, st.sampled_from(sorted(RULES)))
def test_the_next_wave_is_the_smallest_that_can_settle_the_vote(
    case: tuple[list[int], int], name: str
) -> None:
    counts, remaining = case
    if remaining == 0:
        return
    rule = RULES[name]()
    wave = next_wave(rule, counts, remaining, 0.95)
    leader, rest = (counts[0], counts[1:]) if counts else (0, [])
    assert 1 <= wave <= remaining
    assert rule.stop([leader + wave, *rest], remaining - wave, 0.95) is not None
    for fewer in range(1, wave):
        assert rule.stop([leader + fewer, *rest], remaining - fewer, 0.95) is None


def simulate(
    rule: StoppingRule, shares: Sequence[float], rng: random.Random, most: int
) -> tuple[int, int, StopReason]:
    """Vote once on a known distribution: (winner, samples used, why it stopped)."""
    counts: Counter[int] = Counter()
    for used in range(1, most + 1):
        counts[rng.choices(range(len(shares)), shares)[0]] += 1
        reason = rule.stop([c for _, c in counts.most_common()], most - used, 0.95)
        if reason is not None:
            return counts.most_common(1)[0][0], used, reason
    raise AssertionError("a rule must stop when nothing is left")


def test_a_certain_stop_never_changes_the_fixed_vote() -> None:
    rng = random.Random(7)
    for _ in range(500):
        votes = rng.choices(range(4), [0.4, 0.3, 0.2, 0.1], k=16)
        counts: Counter[int] = Counter()
        for used, vote in enumerate(votes, 1):
            counts[vote] += 1
            ranked = counts.most_common()
            if CertainRule().stop([c for _, c in ranked], 16 - used, 0.95) is StopReason.CERTAIN:
                assert ranked[0][0] == Counter(votes).most_common(1)[0][0]
                break


def test_beta_spends_less_than_certain_and_certain_less_than_fixed() -> None:
    used = {}
    for name in ("fixed", "certain", "beta"):
        rng = random.Random(3)
        runs = [simulate(RULES[name](), [0.8, 0.15, 0.05], rng, 16) for _ in range(400)]
        used[name] = sum(run[1] for run in runs) / len(runs)
        assert sum(run[0] == 0 for run in runs) / len(runs) > 0.95
    assert used["beta"] < used["certain"] < used["fixed"] == 16

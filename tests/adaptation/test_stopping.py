"""Stopping rules, each against its definition and against simulated votes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betainc

from adaptation.report import StopReason
from adaptation.voting.ballots import Ballots, leader_probability
from adaptation.voting.stopping import (
    RULES,
    BayesianRule,
    BetaRule,
    CertainRule,
    EscRule,
    StoppingRule,
    next_wave,
)
from adaptation.voting.stopping.bayesian import LEAST, PRICE
from adaptation.voting.stopping.lookahead import Lookahead
from adaptation.voting.stopping.prior import learned
from adaptation.voting.stopping.shapes import COLD, NUMBERS, SHARES, Floats, Pattern, likelihoods

MOST = 16
ballots_and_remaining = st.tuples(
    st.lists(st.integers(0, 4), max_size=24).map(lambda order: Ballots(tuple(order))),
    st.integers(0, MOST),
)
names = st.sampled_from(sorted(RULES))


def ballots_of(counts: Sequence[int]) -> Ballots:
    """So many votes for each of several answers, one answer after the other."""
    return Ballots(tuple(answer for answer, votes in enumerate(counts) for _ in range(votes)))


def rule_named(name: str) -> StoppingRule:
    return RULES[name](COLD, PRICE)


@given(st.integers(0, 40), st.integers(0, 40))
def test_leader_probability_is_the_incomplete_beta_function(leader: int, runner_up: int) -> None:
    expected = 1 - betainc(leader + 1, runner_up + 1, 0.5)
    assert leader_probability(leader, runner_up) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("counts", "stops"),
    [([4], True), ([3], False), ([5, 1], False), ([6, 1], True), ([], False), ([1, 1], False)],
)
def test_beta_stops_at_the_published_counts(counts: list[int], stops: bool) -> None:
    reason = BetaRule().stop(ballots_of(counts), remaining=9, confidence=0.95)
    assert (reason is StopReason.CONFIDENT) == stops


@pytest.mark.parametrize(
    ("order", "stops"),
    [
        ((0, 0, 0, 0), False),
        ((0, 0, 0, 0, 0), True),
        ((0, 0, 0, 0, 1), False),
        ((1, 0, 0, 0, 0, 0), False),
        ((0, 1, 0, 1, 0, 2, 2, 2, 2, 2), True),
    ],
)
def test_esc_stops_at_the_end_of_a_window_that_agrees(order: tuple[int, ...], stops: bool) -> None:
    reason = EscRule().stop(Ballots(order), remaining=20, confidence=0.95)
    assert (reason is StopReason.CONFIDENT) == stops


@given(ballots_and_remaining)
def test_a_certain_winner_survives_every_continuation(case: tuple[Ballots, int]) -> None:
    ballots, remaining = case
    if CertainRule().stop(ballots, remaining, 0.95) is StopReason.CERTAIN:
        leader, *others = ballots.counts
        assert leader > max(others, default=0) + remaining


@given(ballots_and_remaining, names)
def test_every_rule_stops_when_nothing_is_left_to_draw(
    case: tuple[Ballots, int], name: str
) -> None:
    assert rule_named(name).stop(case[0], 0, 0.99) is not None


@given(ballots_and_remaining, names)
def test_the_next_wave_is_the_smallest_that_can_settle_the_vote(
    case: tuple[Ballots, int], name: str
) -> None:
    ballots, remaining = case
    if remaining == 0:
        return
    rule = rule_named(name)
    wave = next_wave(rule, ballots, remaining, 0.95)
    assert 1 <= wave <= remaining
    for more in range(1, wave + 1):
        stop = rule.stop(ballots.and_for_the_leader(more), remaining - more, 0.95)
        assert (stop is not None) == (more == wave)


@given(ballots_and_remaining)
def test_the_ballots_counts_are_the_votes_most_first(case: tuple[Ballots, int]) -> None:
    ballots, _ = case
    assert sum(ballots.counts) == ballots.total
    assert list(ballots.counts) == sorted(Counter(ballots.order).values(), reverse=True)
    more = ballots.and_for_the_leader(2)
    assert more.top_two[0] == ballots.top_two[0] + 2


def test_patterns_of_one_length_and_a_shape_of_two_answers_have_binomial_odds() -> None:
    """With no third answer, leader and runner-up are the two of a coin, either way round."""
    coins = np.flatnonzero((NUMBERS[2] == 0) & (SHARES[0] > 0.5))
    assert len(coins)
    found = likelihoods([Pattern(3, 1, 0)])
    mode, second = SHARES[0, coins], SHARES[1, coins]
    assert found.leader_is_mode[0, coins] == pytest.approx(mode**3 * second)
    assert found.pattern[0, coins] == pytest.approx(mode**3 * second + second**3 * mode)


Make = Callable[[random.Random], Sequence[float]]


def shape_of_the_prior(rng: random.Random) -> Sequence[float]:
    """Draw an answer distribution from the cold prior."""
    column = rng.randrange(len(COLD))
    mode, second, other = SHARES[:, column]
    whole = int(NUMBERS[2, column])
    left = 1 - mode - second - whole * other
    return [mode, second, *[other] * whole, *([left] if left > 1e-9 else [])]


def easy(rng: random.Random) -> Sequence[float]:
    return [0.97, 0.02, 0.01] if rng.random() < 0.85 else [0.7, 0.2, 0.1]


def bimodal(rng: random.Random) -> Sequence[float]:
    return rng.choice([[0.9, 0.05, 0.05], [0.75, 0.2, 0.05], [0.6, 0.3, 0.1]])


def flat(rng: random.Random) -> Sequence[float]:
    return [0.3, *[0.7 / 14] * 14] if rng.random() < 0.5 else [0.2, *[0.1] * 8]


def mixed(rng: random.Random) -> Sequence[float]:
    return rng.choice([easy, bimodal, flat])(rng)


KINDS: dict[str, Make] = {
    make.__name__: make for make in (easy, bimodal, flat, mixed, shape_of_the_prior)
}


class Outcome(NamedTuple):
    """Of one simulated vote."""

    on_the_mode: bool
    ballots: Ballots
    reason: StopReason


def simulate(rule: StoppingRule, shares: Sequence[float], rng: random.Random) -> Outcome:
    """Vote once on a known distribution, whose mode comes first."""
    order = tuple(rng.choices(range(len(shares)), shares, k=MOST))
    for used in range(1, MOST + 1):
        ballots = Ballots(order[:used])
        reason = rule.stop(ballots, MOST - used, 0.95)
        if reason is not None:
            winner = Counter(ballots.order).most_common(1)[0][0]
            return Outcome(winner == 0, ballots, reason)
    raise AssertionError("a rule must stop when nothing is left")


def run(rule: StoppingRule, make: Make, votes: int = 1000, seed: int = 5) -> list[Outcome]:
    rng = random.Random(seed)
    return [simulate(rule, make(rng), rng) for _ in range(votes)]


def prior_of(make: Make) -> Floats:
    """Return what is learned from 300 votes of this kind."""
    past = run(BayesianRule(), make, 300, seed=1)
    return learned(COLD, Counter(Pattern.of(vote.ballots.counts) for vote in past), 20)


def rules_for(make: Make) -> dict[str, StoppingRule]:
    """Return every rule, and the Bayesian one with what it has learned as well."""
    cold = {name: rule_named(name) for name in RULES}
    return cold | {"learned": BayesianRule(prior_of(make))}


@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_that_vouches_for_the_mode_is_right_as_often_as_it_promises(kind: str) -> None:
    """And what that takes: `pytest -s` shows the samples each rule draws."""
    samples = {}
    print(f"\n{kind}: samples drawn, share on the mode, votes vouched for, share of them on it")
    for name, rule in rules_for(KINDS[kind]).items():
        outcomes = run(rule, KINDS[kind])
        vouched = [vote.on_the_mode for vote in outcomes if vote.reason is StopReason.CONFIDENT]
        samples[name] = fmean(vote.ballots.total for vote in outcomes)
        right, kept = fmean(vote.on_the_mode for vote in outcomes), fmean(vouched or [1.0])
        print(f"  {name:9} {samples[name]:6.2f} {right:6.3f} {len(vouched):5} {kept:6.3f}")
        if name in ("beta", "bayesian", "learned"):
            assert vouched or kind == "flat"
            luck = 2 * (0.95 * 0.05 / max(len(vouched), 1)) ** 0.5
            assert kept >= 0.95 - luck
    assert samples["learned"] < samples["beta"] < samples["certain"] < samples["fixed"] == MOST
    assert samples["bayesian"] < samples["beta"]


def test_a_learned_prior_spends_less_on_easy_votes_than_a_cold_one() -> None:
    rules = rules_for(easy)
    used = {
        name: fmean(vote.ballots.total for vote in run(rules[name], easy))
        for name in ("bayesian", "learned")
    }
    assert used["learned"] < 0.8 * used["bayesian"]


def test_more_votes_that_cost_nothing_never_make_it_worse() -> None:
    ahead = Lookahead(COLD, price=0.0)
    patterns = [Pattern.of(counts) for counts in ([7, 4, 4], [3, 3, 3], [2, 2], [1, 1, 1], [5, 1])]
    assert all(ahead.gain(pattern, MOST) >= 0 for pattern in patterns)
    assert ahead.gain(Pattern(1, 0, 0), MOST) > 0


def test_a_split_is_given_up_where_its_samples_cost_more_than_they_bring() -> None:
    split = ballots_of([2, 2, 1])
    assert BayesianRule(price=0.0).stop(split, 8, 0.95) is None
    assert BayesianRule(price=0.2).stop(split, 8, 0.95) is StopReason.FUTILE


@pytest.mark.parametrize("price", [0.002, 0.01])
def test_no_other_rule_is_worth_as_much_at_the_price_of_a_sample(price: float) -> None:
    """Where an answer is right as often as it is given."""

    def worth(rule: StoppingRule) -> float:
        rng, net = random.Random(5), 0.0
        for _ in range(1000):
            shares = mixed(rng)
            ballots = simulate(rule, shares, rng).ballots
            leader = Counter(ballots.order).most_common(1)[0][0]
            net += shares[leader] - price * ballots.total
        return net / 1000

    ours = worth(BayesianRule(prior_of(mixed), price))
    assert ours > max(worth(rule_named(name)) for name in ("beta", "certain", "esc", "fixed"))


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_the_bayesian_rule_waits_for_two_samples_however_sure_its_prior(counts: list[int]) -> None:
    certain = np.where(SHARES[0] > 0.98, 1.0, 0.0)
    rule, votes = BayesianRule(certain / certain.sum()), ballots_of(sorted(counts, reverse=True))
    stop = rule.stop(ballots_of([1]), MOST, 0.9)
    assert stop is None
    assert 0 <= rule.leader_probability(votes) <= 1
    assert rule.stop(ballots_of([LEAST]), MOST, 0.9) is StopReason.CONFIDENT


def test_a_certain_stop_never_changes_the_fixed_vote() -> None:
    rng = random.Random(7)
    for _ in range(500):
        votes = tuple(rng.choices(range(4), [0.4, 0.3, 0.2, 0.1], k=MOST))
        for used in range(1, MOST + 1):
            early = Ballots(votes[:used])
            if CertainRule().stop(early, MOST - used, 0.95) is StopReason.CERTAIN:
                winner = Counter(early.order).most_common(1)[0][0]
                assert winner == Counter(votes).most_common(1)[0][0]
                break

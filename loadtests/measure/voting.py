"""What each voter got right and what it cost, held against Whet's targets. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from pydantic import TypeAdapter

from adaptation.statistics import (
    Interval,
    bootstrap_ratio,
    paired,
    score_difference,
    wilson,
)
from loadtests.measure.claims import Claim

SAME = 0.005
"""Points of accuracy within which two are equal."""
EASY, MIDDLING = 0.8, 0.4
"""Accuracy of one sample on an easy suite, and on a middling one up to `MIDDLING_TO`."""
MIDDLING_TO = 0.7
EASY_TOKENS, MIDDLING_TOKENS, BETA_TOKENS = 0.30, 0.55, 0.80
OPTILLM_TOKENS, OPTILLM_SECONDS, ALPHA = 0.5, 0.25, 0.01
ONE, FIXED = "one sample", "16 votes, by the client"
DEFAULT, EXIT = "Whet bayesian", "Whet bayesian, one-sample exit"
"""What Whet does before and after it was calibrated: each is held against the targets."""
BETA, OUR_BETA, OPTILLM = "its_hub Beta", "Whet beta", "OptiLLM self_consistency"


@dataclass(frozen=True)
class Vote:
    """One question put to one system."""

    system: str
    suite: str
    number: int
    right: bool
    tokens: int
    """Generated, by the engine's own counter."""
    seconds: float


VOTE = TypeAdapter(Vote)


@dataclass(frozen=True)
class Row:
    """One system on one suite, beside the fixed vote."""

    system: str
    right: Interval
    difference: Interval
    """In accuracy, with Tango's interval over the pairs."""
    tokens: Interval
    """Ratio of the sums, with a bootstrap interval over the pairs."""
    tokens_each: float
    seconds: float
    """Median."""


def row(votes: Sequence[Vote], system: str, suite: str) -> Row:
    """Hold a system against the fixed vote on one suite."""
    ours, theirs = of(votes, system, suite), of(votes, FIXED, suite)
    return Row(
        system,
        wilson(sum(vote.right for vote in ours), len(ours)),
        _difference(theirs, ours),
        _tokens(ours, theirs),
        fmean(vote.tokens for vote in ours),
        median(vote.seconds for vote in ours),
    )


def of(votes: Sequence[Vote], system: str, suite: str | None = None) -> list[Vote]:
    """Return a system's votes in the order of suites and numbers."""
    mine = [v for v in votes if v.system == system and suite in (None, v.suite)]
    return sorted(mine, key=lambda vote: (vote.suite, vote.number))


def suites(votes: Sequence[Vote]) -> list[str]:
    """Return the suites, the easiest for one sample first."""
    names = {vote.suite for vote in votes}
    return sorted(names, key=lambda name: -_share(of(votes, ONE, name)))


def claims(votes: Sequence[Vote]) -> list[Claim]:
    """Hold Whet against its targets, with and without the one-sample exit."""
    return [
        against(votes, name)
        for name in (DEFAULT, EXIT)
        if of(votes, name)
        for against in (_against_fixed, _against_beta, _against_optillm)
    ]


def _against_fixed(votes: Sequence[Vote], name: str) -> Claim:
    found, judged = [], []
    for suite in suites(votes):
        ours, single = row(votes, name, suite), _share(of(votes, ONE, suite))
        verdict = "no target"
        if single >= EASY or MIDDLING <= single <= MIDDLING_TO:
            bound = EASY_TOKENS if single >= EASY else MIDDLING_TOKENS
            kept = ours.difference.value >= -SAME and ours.tokens.value <= bound
            judged.append(kept)
            verdict = f"at most {bound:.0%}: {'met' if kept else 'missed'}"
        found.append(
            f"{suite} (one sample {single:.0%}): {_points(ours.difference)}, "
            f"tokens {_percent(ours.tokens)}, {verdict}"
        )
    target = (
        "the accuracy of 16 fixed votes within 0.5 points for ≤ 30 % of their tokens where one "
        "sample is right ≥ 80 % of the time, ≤ 55 % where it is 40 to 70 %"
    )
    return Claim(
        f"{name} against 16 fixed votes", target, tuple(found), bool(judged) and all(judged)
    )


def _against_beta(votes: Sequence[Vote], name: str) -> Claim:
    ours, theirs = of(votes, name), of(votes, BETA)
    tokens, difference = _tokens(ours, theirs), _difference(theirs, ours)
    met = tokens.value <= BETA_TOKENS and difference.value >= -SAME
    found = [f"all: {_points(difference)}, tokens {_percent(tokens)}"]
    if rule := of(votes, OUR_BETA):
        found.append(
            f"rule against rule, as Whet's own `beta` draws: "
            f"{_points(_difference(rule, ours))}, tokens {_percent(_tokens(ours, rule))}"
        )
    target = "≥ 20 % fewer tokens than its_hub's Beta (all samples at once) at equal accuracy"
    return Claim(f"{name} against its_hub", target, tuple(found), met)


def _against_optillm(votes: Sequence[Vote], name: str) -> Claim:
    ours, theirs = of(votes, name), of(votes, OPTILLM)
    pairs = paired([vote.right for vote in theirs], [vote.right for vote in ours])
    tokens, difference = _tokens(ours, theirs), _difference(theirs, ours)
    seconds = median(v.seconds for v in ours) / median(v.seconds for v in theirs)
    better = pairs.p_value < ALPHA and difference.value > 0
    met = better and tokens.value <= OPTILLM_TOKENS and seconds <= OPTILLM_SECONDS
    found = (
        f"all: {_points(difference)}, p = {pairs.p_value:.2g}, tokens {_percent(tokens)}, "
        f"p50 latency {seconds:.0%}"
    )
    target = "more accurate than OptiLLM's self_consistency (p < .01), ≤ ½ its tokens, ≤ ¼ its p50"
    return Claim(f"{name} against OptiLLM", target, (found,), met)


def _tokens(ours: Sequence[Vote], theirs: Sequence[Vote]) -> Interval:
    return bootstrap_ratio([v.tokens for v in ours], [v.tokens for v in theirs], seed=0)


def _difference(before: Sequence[Vote], after: Sequence[Vote]) -> Interval:
    pairs = paired([vote.right for vote in before], [vote.right for vote in after])
    return score_difference(pairs.helped, pairs.hurt, len(after))


def _share(votes: Sequence[Vote]) -> float:
    return fmean(vote.right for vote in votes) if votes else 0.0


def _points(difference: Interval) -> str:
    low, high = 100 * difference.low, 100 * difference.high
    return f"{100 * difference.value:+.1f} points ({low:+.1f} to {high:+.1f})"


def _percent(ratio: Interval) -> str:
    return f"{ratio.value:.0%} ({ratio.low:.0%} to {ratio.high:.0%})"

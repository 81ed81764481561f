"""Shapes of answer distributions, and how likely each of them makes a pattern of votes.

A shape is the mode's share of the samples, the second answer's, and the share of each of the many
other answers. A pattern is what is kept of a vote (L = 3 tracking, arXiv 2602.05395): the votes of
the leader, of the runner-up, and of all other answers together. Which answer of the shape leads is
not known, so every assignment counts: the leader may be the mode, the second answer, or another.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.intp]

_MODE = (0.08, 0.12, *(share / 20 for share in range(3, 19)), 0.94, 0.97, 0.99)
_SECOND = (0.15, 0.4, 0.7, 1.0)
"""Share of the second answer in what the mode leaves."""
_CLOSEST = 0.9
"""The second answer's share of the mode's, at most: with a tie there is no mode to find."""
_OTHER = 0.5
"""Each other answer's share of the second's."""


class Pattern(NamedTuple):
    """The votes of the leader, of the runner-up, and of all other answers together."""

    leader: int
    runner_up: int
    rest: int

    @classmethod
    def of(cls, counts: Sequence[int]) -> Pattern:
        """Return the pattern of votes that are sorted, most first."""
        first, second, *others = *counts, 0, 0
        return cls(first, second, sum(others))


def _grid() -> tuple[Floats, Floats]:
    shapes = dict.fromkeys(
        (mode, min(part * (1 - mode), _CLOSEST * mode)) for mode, part in product(_MODE, _SECOND)
    )
    mode, second = np.array(list(shapes)).T
    tail = np.clip(1 - mode - second, 0, None)
    other = np.minimum(_OTHER * second, tail)
    number = np.divide(tail, other, out=np.zeros_like(tail), where=other > 0)
    one = np.ones_like(mode)
    return np.stack([mode, second, other]), np.stack([one, one, number])


SHARES, NUMBERS = _grid()
"""Of every shape: what a mode, a second and another answer get, and how many such answers there
are; both (3, K)."""
COLD = np.full(SHARES.shape[1], 1 / SHARES.shape[1])
"""The prior of a tenant that nothing is known of: every shape alike, (K,)."""


class Likelihoods(NamedTuple):
    """Likelihoods of each pattern under each shape, all (P, K)."""

    pattern: Floats
    leader_is_mode: Floats
    """The part of `pattern` in which the leader is the mode."""
    leader_again: Floats
    """Likelihood of the pattern with one more vote for its leader."""


def likelihoods(patterns: Sequence[Pattern]) -> Likelihoods:
    """Return P(pattern | shape), up to a factor that depends on the pattern only."""
    votes = np.array(patterns, dtype=np.intp).reshape(-1, 3, 1)  # (P, 3, 1)
    leader, runner_up, rest = votes[:, 0], votes[:, 1], votes[:, 2]
    parts = {who: _with_leader(who, leader, runner_up, rest) for who in range(3)}
    return Likelihoods(
        sum(parts.values(), start=np.zeros(1)),
        parts[0],
        sum((part * SHARES[who] for who, part in parts.items()), start=np.zeros(1)),
    )


def _with_leader(who: int, leader: Counts, runner_up: Counts, rest: Counts) -> Floats:
    """Sum over whoever may be the runner-up: P(pattern, the leader is `who` | shape), (P, K)."""
    alone = NUMBERS[who] * SHARES[who] ** leader
    contested = np.zeros_like(alone)
    for second in range(3):
        there = NUMBERS[second] - (second == who)
        contested += np.clip(there, 0, None) * _contest(who, second, runner_up, rest)
    parts: Floats = alone * np.where(runner_up == 0, 1.0, contested)
    return parts


def _contest(who: int, second: int, runner_up: Counts, rest: Counts) -> Floats:
    """P(the votes that `who` did not get | shape): none of the rest may pass the runner-up.

    Which is taken to hold for each answer by itself: the rest's votes are all but independent.
    """
    left = np.clip(1 - SHARES[who] - SHARES[second], 0, None)
    found: Floats = SHARES[second] ** runner_up * left**rest
    for other in range(3):
        number = np.clip(NUMBERS[other] - (other == who) - (other == second), 0, None)
        share = np.divide(SHARES[other], left, out=np.zeros_like(left), where=left > 0)
        behind = np.ones_like(found)  # P(it has no more votes than the runner-up)
        bdtr(runner_up, rest, np.clip(share, 0, 1), out=behind, where=rest > runner_up)
        found = found * behind**number
    return found


def patterns_up_to(votes: int) -> tuple[Pattern, ...]:
    """Every pattern of 1 to `votes` votes, fewer votes first."""
    return tuple(
        Pattern(leader, runner_up, total - leader - runner_up)
        for total in range(1, votes + 1)
        for leader in range(1, total + 1)
        for runner_up in range(min(leader, total - leader) + 1)
        if runner_up or leader == total
    )

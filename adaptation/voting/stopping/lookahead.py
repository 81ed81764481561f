"""What more votes are worth in accuracy: the best expected end, over all ways to go on.

An answer is taken to be right as often as it is given, as if the model were calibrated: so a leader
is worth its expected share p of the samples, and a flat split is not worth much even when settled.
By backward induction, a vote that fell as v = (leader, runner-up, rest) and may go on is worth

    max(E[p | v], Σ P(v' | v) · worth(v') − price of a sample).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from adaptation.voting.stopping.shapes import (
    Floats,
    Likelihoods,
    Pattern,
    likelihoods,
    patterns_up_to,
)

HORIZON = 32
"""Votes of the longest vote that is looked ahead in; one that may be longer is not given up."""


@dataclass(frozen=True)
class _Tree:
    """Every pattern up to the horizon, fewer votes first, and where the next vote leads."""

    row: dict[Pattern, int]
    found: Likelihoods
    ends: NDArray[np.int64]
    """Rows of the patterns of at most 0, 1, ... votes: they come first."""
    leader_next: NDArray[np.int64]
    """Row after a vote for the leader; likewise below, all (P,). A leaf leads to itself."""
    rest_next: NDArray[np.int64]
    other_next: NDArray[np.int64]
    """After a vote that makes a runner-up: of the old one, or of an answer that passes it."""

    def end(self, votes: int) -> int:
        """Return the row behind the last pattern of at most this many votes."""
        return int(self.ends[votes])


@lru_cache(maxsize=1)
def _tree() -> _Tree:
    patterns = patterns_up_to(HORIZON)
    row = {pattern: place for place, pattern in enumerate(patterns)}

    def to(place: int, leader: int, runner_up: int, rest: int) -> int:
        return row.get(Pattern(max(leader, runner_up), min(leader, runner_up), rest), place)

    steps = [
        (to(i, a + 1, b, r), to(i, a, b, r + 1) if b else i, to(i, a, b + 1, r))
        for i, (a, b, r) in enumerate(patterns)
    ]
    leader, rest, other = np.array(steps).T
    ends = np.cumsum(np.bincount([sum(pattern) for pattern in patterns], minlength=HORIZON + 1))
    return _Tree(row, likelihoods(patterns), ends, leader, rest, other)


class Lookahead:
    """Every vote up to the horizon, under one prior over shapes and one price of a sample."""

    def __init__(self, prior: Floats, price: float) -> None:
        self._tree = _tree()
        self._prior = prior
        self._price = price
        self._gains: dict[int, Floats] = {}

    def leader_probability(self, pattern: Pattern) -> float:
        """P(the leader is the mode | the votes)."""
        row, found = self._tree.row[pattern], self._tree.found
        return float(found.leader_is_mode[row] @ self._prior / (found.pattern[row] @ self._prior))

    def gain(self, pattern: Pattern, most: int) -> float:
        """Expected gain in accuracy of going on for as long as it pays, less what it costs.

        At most up to `most` votes. Zero or less where the next sample is not worth its price.
        """
        if most not in self._gains:
            self._gains[most] = self._gains_up_to(most)
        return float(self._gains[most][self._tree.row[pattern]])

    def _steps(self, most: int) -> tuple[Floats, Floats, Floats]:
        """P(the next vote is for the leader, one more of the rest, a runner-up), all (P,).

        Of the patterns of at most `most` votes alone: a vote is short, the horizon is far.
        """
        tree, end = self._tree, self._tree.end(most)
        evidence = tree.found.pattern[:end] @ self._prior
        leader = tree.found.leader_again[:end] @ self._prior / evidence
        rest_next = tree.rest_next[:end]
        goes_on = (rest_next != np.arange(end)) & (rest_next < end)
        rest = np.where(goes_on, evidence[np.minimum(rest_next, end - 1)], 0.0) / evidence
        rest = np.clip(rest, 0, 1 - leader)
        return leader, rest, 1 - leader - rest

    def _gains_up_to(self, most: int) -> Floats:
        tree, (share, to_rest, to_other) = self._tree, self._steps(most)
        worth, gain = share.copy(), np.zeros_like(share)
        for votes in range(most - 1, 0, -1):
            at = slice(tree.end(votes - 1), tree.end(votes))
            going_on = (
                share[at] * worth[tree.leader_next[at]]
                + to_rest[at] * worth[tree.rest_next[at]]
                + to_other[at] * worth[tree.other_next[at]]
            )
            # Tied runners-up make the steps' odds inexact; more votes never make it worse.
            going_on = np.maximum(going_on, share[at]) - self._price
            gain[at] = going_on - share[at]
            worth[at] = np.maximum(share[at], going_on)
        return gain

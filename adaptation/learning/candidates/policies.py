"""Ways to choose what a generation learns from; each is an arm of the bandit.

`all` is what Whet did before there were scores. The others leave half of the records out, those of
the lowest rank, and keep the order of the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from memory.versions.candidates import Scores

SHARE = 0.5
"""Share of the records that any policy but `all` keeps at least."""
EASIEST, HARDEST = 0.8, 0.2
"""Pass rates between which there is most to learn (the middle of a curriculum)."""

Rank = Callable[[Scores], float]
"""The higher, the sooner it is chosen."""


def frontier(scores: Scores) -> float:
    """Prefer what the base gets right at times; then what it never does, last what it always does.

    With a verified solution even what is too hard teaches; what is known does not.
    """
    rate = scores.difficulty
    if rate is None:
        return 0.5
    return 1.0 if HARDEST <= rate <= EASIEST else 0.5 * (rate < HARDEST)


def coverage(scores: Scores) -> float:
    """Prefer questions unlike the others that are chosen."""
    return scores.novelty


def influence(scores: Scores) -> float:
    """Prefer what a step on helps the others most (LESS, arXiv 2402.04333)."""
    return scores.influence


def surprise(scores: Scores) -> float:
    """Prefer what the base foresees least."""
    return scores.perplexity


Policy: TypeAlias = Literal["all", "frontier", "coverage", "influence", "surprise"]
ALL: Policy = "all"
POLICIES: dict[Policy, Rank] = {
    ALL: lambda scores: 0.0,
    "frontier": frontier,
    "coverage": coverage,
    "influence": influence,
    "surprise": surprise,
}


def chosen(policy: Policy, scores: Sequence[Scores], least: int) -> list[int]:
    """Return the places of what a policy chooses, in order; `least` are chosen where there are."""
    places = range(len(scores))
    if policy == ALL:
        return list(places)
    rank = POLICIES[policy]
    kept = max(least, math.ceil(SHARE * len(scores)))
    return sorted(sorted(places, key=lambda place: -rank(scores[place]))[:kept])

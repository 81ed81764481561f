"""Several rankings made into one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)
RRF_K = 60
"""As in the paper: how little the first places count above those that follow."""


def fused(rankings: Sequence[Sequence[T]]) -> list[T]:
    """Return what stands in any ranking, by reciprocal rank, best first.

    score(d) = Σ_r 1 / (k + rank_r(d)), k = 60 (Cormack, Clarke and Büttcher, "Reciprocal Rank
    Fusion outperforms Condorcet and individual Rank Learning Methods", SIGIR 2009). Of two with
    one score the earlier ranking's comes first.
    """
    scores: dict[T, float] = defaultdict(float)
    for ranking in rankings:
        for rank, item in enumerate(ranking, 1):
            scores[item] += 1.0 / (RRF_K + rank)
    return sorted(scores, key=lambda item: -scores[item])  # stable: in the order they came

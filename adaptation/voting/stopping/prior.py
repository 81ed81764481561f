"""Learning which shapes a tenant's answer distributions have, from the patterns of past votes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from adaptation.voting.stopping.shapes import Floats, Pattern, likelihoods

ROUNDS = 30


def learned(base: Floats, votes: Mapping[Pattern, float], strength: float) -> Floats:
    """Return the weights of the shapes, (K,), after `votes`: patterns and how often each was seen.

    Expectation-maximisation (Dempster et al. 1977) for the weights of a mixture under a Dirichlet
    prior: `base` counts as `strength` votes. When a vote was stopped plays no part in its
    likelihood, so votes of every length count as they are.
    """
    if not votes:
        return base
    found = likelihoods(list(votes)).pattern  # (P, K)
    seen = np.fromiter(votes.values(), dtype=float)
    weights = base
    for _ in range(ROUNDS):
        shares = found * weights
        shares /= shares.sum(axis=1, keepdims=True)
        weights = strength * base + seen @ shares
        weights /= weights.sum()
    return weights

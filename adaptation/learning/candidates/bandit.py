"""Which policy chooses for the next generation, learned from what earlier ones came to.

A bandit with a log: every generation notes the policy, the chance that it had, and its gain (held-
out questions gained less those lost, ÷ asked). The next policy is drawn by Thompson sampling
(Thompson 1933): each has a chance as large as the probability that its mean gain is the largest,
with a floor, so that none is given up. Gains are taken as normal about a mean with a normal prior.
That of `all` is higher by three standard deviations: it is what was measured to work, and the
others must show that they do better. Only generations of the same kind count: one that had to beat
the bare base had everything to gain, another had not.

What a policy would have gained in place of what was done is estimated by inverse propensities
(Horvitz and Thompson 1952), over the generations that were drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np
from scipy.special import ndtr

from adaptation.learning.candidates.policies import ALL, POLICIES, Policy
from memory.types import Frozen
from memory.versions.candidates import Selection

PRIOR_GAIN: dict[str, float] = {ALL: 0.15}
PRIOR_SPREAD = 0.05
"""Prior standard deviation of a policy's mean gain; the prior mean is 0 where none is named."""
NOISE = 0.1
"""Standard deviation of one generation's gain about the mean."""
FLOOR = 0.02
"""Least chance of a policy."""
POINTS = 4_001
"""Points at which the integral is taken."""


class Worth(Frozen):
    """What a policy came to so far."""

    policy: str
    generations: int
    """Generations that the policy chose for."""
    gain: float | None
    """Their mean gain."""
    estimate: float | None
    """Mean gain had it chosen for every generation that was drawn: by inverse propensities."""


def propensities(log: Sequence[Selection], *, served: bool) -> dict[Policy, float]:
    """Return the chance of each policy; they add up to 1."""
    gains = [(each.policy, each.gain) for each in log if each.served == served]
    found = [_posterior(p, [gain for name, gain in gains if name == p]) for p in POLICIES]
    means, spreads = (np.array(column)[:, None] for column in zip(*found, strict=True))
    low, high = (means - 6 * spreads).min(), (means + 6 * spreads).max()
    z = (np.linspace(low, high, POINTS)[None] - means) / spreads  # (policies, points)
    below = ndtr(z)
    others = np.array([np.delete(below, i, 0).prod(0) for i in range(len(POLICIES))])
    largest = (np.exp(-(z**2) / 2) / spreads * others).sum(1)
    shares = FLOOR + (1 - FLOOR * len(POLICIES)) * largest / largest.sum()
    return dict(zip(POLICIES, shares.tolist(), strict=True))


def drawn(chances: Mapping[Policy, float], position: float) -> Policy:
    """Return the policy at a place in [0, 1)."""
    for policy, chance in chances.items():
        if position < chance:
            return policy
        position -= chance
    return next(iter(chances))


def worths(log: Sequence[Selection]) -> tuple[Worth, ...]:
    """Return what each policy came to."""
    return tuple(_worth(policy, log) for policy in POLICIES)


def _worth(policy: str, log: Sequence[Selection]) -> Worth:
    gains = [each.gain for each in log if each.policy == policy]
    random = [each for each in log if each.propensity < 1]
    weighted = [each.gain / each.propensity * (each.policy == policy) for each in random]
    return Worth(
        policy=policy,
        generations=len(gains),
        gain=fmean(gains) if gains else None,
        estimate=fmean(weighted) if weighted else None,
    )


def _posterior(policy: str, gains: Sequence[float]) -> tuple[float, float]:
    """Return mean and spread of a policy's mean gain, given gains that were seen."""
    prior, seen = PRIOR_SPREAD**-2, len(gains) * NOISE**-2
    mean = (prior * PRIOR_GAIN.get(policy, 0.0) + NOISE**-2 * sum(gains)) / (prior + seen)
    return mean, float((prior + seen) ** -0.5)

"""Bayesian: stop when the leader is the mode with the asked-for probability, or never will be.

Optimal Bayesian stopping for self-consistency (arXiv 2602.05395) with L = 3: leader, runner-up and
the rest are tracked. With shapes s of answer distributions and a prior w over them,

    P(mode | v) = Σ w_s P(v, the leader is the mode | s) / Σ w_s P(v | s).

The prior is learned (`stopping.prior`): where votes are mostly unanimous, two samples may do. A
vote is given up when the best way to go on with it gains less than its samples cost.
"""

from __future__ import annotations

from functools import lru_cache

from adaptation.report import StopReason
from adaptation.voting.ballots import Ballots
from adaptation.voting.stopping.certain import CertainRule
from adaptation.voting.stopping.lookahead import HORIZON, Lookahead
from adaptation.voting.stopping.shapes import COLD, Floats, Likelihoods, Pattern, likelihoods

LEAST, COLD_LEAST = 2, 4
"""Samples before the rule speaks. One alone shows nothing, not even that the prior has aged; the
cold prior would take three that agree for a mode where all shapes are flat."""
PRICE = 0.002
"""Price of one sample, in accuracy."""


class BayesianRule(CertainRule):
    """The L = 3 rule under one prior, with the certain winner beside it."""

    def __init__(self, prior: Floats = COLD, price: float = PRICE) -> None:
        self._prior = prior
        self._least = COLD_LEAST if prior is COLD else LEAST
        self._ahead = Lookahead(prior, price)

    def stop(self, ballots: Ballots, remaining: int, confidence: float) -> StopReason | None:
        """See `StoppingRule.stop`."""
        if ballots.total >= self._least and self.leader_probability(ballots) >= confidence:
            return StopReason.CONFIDENT
        certain = super().stop(ballots, remaining, confidence)
        if certain is not None or ballots.total < self._least:
            return certain
        return StopReason.FUTILE if self._is_futile(ballots, remaining) else None

    def leader_probability(self, ballots: Ballots) -> float:
        """See `StoppingRule.leader_probability`."""
        if not ballots.total:
            return 0.0
        pattern = Pattern.of(ballots.counts)
        if ballots.total <= HORIZON:
            return self._ahead.leader_probability(pattern)
        found = _beyond(pattern)
        return float((found.leader_is_mode @ self._prior / (found.pattern @ self._prior))[0])

    def _is_futile(self, ballots: Ballots, remaining: int) -> bool:
        most = ballots.total + remaining
        return most <= HORIZON and self._ahead.gain(Pattern.of(ballots.counts), most) <= 0


@lru_cache(maxsize=4096)
def _beyond(pattern: Pattern) -> Likelihoods:
    return likelihoods([pattern])

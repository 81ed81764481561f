"""Beta: stop when the leader beats the runner-up with the asked-for probability.

Adaptive-Consistency (Aggarwal et al. 2023, arXiv 2305.11860, section 3): with v₁ and v₂ votes and
a uniform prior on the leader's share p of the two, P(p > ½) = 1 − I_½(v₁ + 1, v₂ + 1).
"""

from __future__ import annotations

from adaptation.report import StopReason
from adaptation.voting.ballots import Ballots
from adaptation.voting.stopping.certain import CertainRule


class BetaRule(CertainRule):
    """The Beta rule, with the certain winner beside it."""

    def stop(self, ballots: Ballots, remaining: int, confidence: float) -> StopReason | None:
        """See `StoppingRule.stop`."""
        if ballots.total and self.leader_probability(ballots) >= confidence:
            return StopReason.CONFIDENT
        return super().stop(ballots, remaining, confidence)

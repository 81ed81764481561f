"""Beta: stop when the leader beats the runner-up with the asked-for probability.

Adaptive-Consistency (Aggarwal et al. 2023, arXiv 2305.11860, section 3): with v₁ and v₂ votes and
a uniform prior on the leader's share p of the two, P(p > ½) = 1 − I_½(v₁ + 1, v₂ + 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

from adaptation.stopping.certain import CertainRule, top_two
from adaptation.types import StopReason


def leader_probability(leader: int, runner_up: int) -> float:
    """Return P(p > ½) for Beta(leader + 1, runner_up + 1).

    For whole parameters the incomplete beta function is a binomial tail:
    1 − I_½(a + 1, b + 1) = P(Binomial(a + b + 1, ½) ≤ a), exact in integers.
    """
    trials = leader + runner_up + 1
    return float(sum(comb(trials, k) for k in range(leader + 1)) / 2**trials)


class BetaRule:
    """The Beta rule, with the certain winner before it."""

    def __init__(self) -> None:
        self._certain = CertainRule()

    def stop(self, counts: Sequence[int], remaining: int, confidence: float) -> StopReason | None:
        """See `StoppingRule.stop`."""
        leader, runner_up = top_two(counts)
        if leader and leader_probability(leader, runner_up) >= confidence:
            return StopReason.CONFIDENT
        return self._certain.stop(counts, remaining, confidence)

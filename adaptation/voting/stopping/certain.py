"""Certain winner: stop when no outcome of the samples still to come can change the leader."""

from __future__ import annotations

from adaptation.report import StopReason
from adaptation.voting.ballots import Ballots
from adaptation.voting.stopping.rule import PriorFreeRule


class CertainRule(PriorFreeRule):
    """Stops when v₁ − v₂ > samples still to come: exact, at no cost in accuracy."""

    def stop(self, ballots: Ballots, remaining: int, confidence: float) -> StopReason | None:
        """See `StoppingRule.stop`; `confidence` plays no part."""
        leader, runner_up = ballots.top_two
        if remaining == 0:
            return StopReason.EXHAUSTED
        return StopReason.CERTAIN if leader - runner_up > remaining else None

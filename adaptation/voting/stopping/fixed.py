"""Fixed: always draw every sample (Wang et al. 2022, arXiv 2203.11171)."""

from __future__ import annotations

from adaptation.report import StopReason
from adaptation.voting.ballots import Ballots
from adaptation.voting.stopping.rule import PriorFreeRule


class FixedRule(PriorFreeRule):
    """Never stops early."""

    def stop(self, ballots: Ballots, remaining: int, confidence: float) -> StopReason | None:
        """See `StoppingRule.stop`."""
        return StopReason.EXHAUSTED if remaining == 0 else None

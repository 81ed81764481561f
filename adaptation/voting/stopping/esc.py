"""ESC: stop when a whole window of samples agrees (Li et al. 2024, arXiv 2401.10480, section 3)."""

from __future__ import annotations

from adaptation.report import StopReason
from adaptation.voting.ballots import Ballots
from adaptation.voting.stopping.certain import CertainRule

WINDOW = 5


class EscRule(CertainRule):
    """Looks at one window after the other; the certain winner beside it."""

    def stop(self, ballots: Ballots, remaining: int, confidence: float) -> StopReason | None:
        """See `StoppingRule.stop`; `confidence` plays no part."""
        is_whole = ballots.total > 0 and ballots.total % WINDOW == 0
        if is_whole and len(set(ballots.order[-WINDOW:])) == 1:
            return StopReason.CONFIDENT
        return super().stop(ballots, remaining, confidence)

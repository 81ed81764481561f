"""Fixed: always draw every sample (Wang et al. 2022, arXiv 2203.11171)."""

from __future__ import annotations

from collections.abc import Sequence

from adaptation.types import StopReason


class FixedRule:
    """Never stops early."""

    def stop(
        self,
        counts: Sequence[int],
        remaining: int,
        confidence: float,
    ) -> StopReason | None:
        """See `StoppingRule.stop`."""
        return StopReason.EXHAUSTED if remaining == 0 else None

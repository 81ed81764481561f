"""Certain winner: stop when no outcome of the samples still to come can change the leader."""

from __future__ import annotations

from collections.abc import Sequence

from adaptation.types import StopReason


class CertainRule:
    """Stops when v₁ − v₂ > samples still to come: exact, at no cost in accuracy."""

    def stop(self, counts: Sequence[int], remaining: int, confidence: float) -> StopReason | None:
        """See `StoppingRule.stop`; `confidence` plays no part."""
        leader, runner_up = top_two(counts)
        if remaining == 0:
            return StopReason.EXHAUSTED
        return StopReason.CERTAIN if leader - runner_up > remaining else None


def top_two(counts: Sequence[int]) -> tuple[int, int]:
    """Return the votes of the leader and of the runner-up, 0 where there is none."""
    return (counts[0] if counts else 0, counts[1] if len(counts) > 1 else 0)

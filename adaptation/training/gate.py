"""Gate 1, no harm: may an adapter that was trained for one request be sampled from?

Pure arithmetic on a job's held-out losses; knows nothing of votes or engines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from adaptation.training.trainer import TrainingResult

MIN_GAIN_NATS = 0.02
"""δ: every held-out conversation's loss must fall by this much, nats per target token.

All of them, not their mean: where there is nothing to learn, one that the base gets wrong falls
far while the others stand still or rise. On whet-pebble's development questions this accepts 59 of
60 jobs of unseen worlds, and 6 of 48 of equations and units, of which the mean and a bound of 0.1
on any rise accepted 20.
"""


@dataclass(frozen=True)
class GateVerdict:
    """Whether the adapter may be used, and why."""

    accepted: bool
    reason: str


def judge(result: TrainingResult, delta: float = MIN_GAIN_NATS) -> GateVerdict:
    """Accept when min(before − after) ≥ δ over the held-out conversations."""
    before, after = result.holdout_before, result.holdout_after
    if not before or len(before) != len(after):
        return GateVerdict(False, "no held-out neighbour to judge the adapter by")
    if not all(map(math.isfinite, (*before, *after, *result.losses))):
        return GateVerdict(False, "a loss is not finite")
    if result.steps == 0:
        return GateVerdict(False, "no step improved on the base")
    least = min(b - a for b, a in zip(before, after, strict=True))
    if least < delta:
        return GateVerdict(
            False, f"a held-out loss changed by {-least:+.3f} nats, not by -{delta:g}"
        )
    return GateVerdict(True, f"every held-out loss fell, by {least:.3f} nats or more")

"""Gate 1, no harm: may an adapter that was trained for one request be sampled from?

Pure arithmetic on a job's held-out losses; knows nothing of votes or engines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from adaptation.training.trainer import TrainingResult

MIN_GAIN_NATS = 0.02
"""δ: the mean held-out loss must fall by this much, nats per target token. Below it an adapter
changes too little to be worth its samples."""
MAX_HARM_NATS = 0.10
"""ε: no held-out conversation's loss may rise by more. A tenth of a nat a token makes a solution
of 20 tokens e² times less likely, which is about where a majority turns."""


@dataclass(frozen=True)
class GateVerdict:
    """Whether the adapter may be used, and why."""

    accepted: bool
    reason: str


def judge(
    result: TrainingResult, delta: float = MIN_GAIN_NATS, epsilon: float = MAX_HARM_NATS
) -> GateVerdict:
    """Accept when mean(before) − mean(after) ≥ δ and max(after − before) ≤ ε."""
    before, after = result.holdout_before, result.holdout_after
    if not before or len(before) != len(after):
        return GateVerdict(False, "no held-out neighbour to judge the adapter by")
    if not all(map(math.isfinite, (*before, *after, *result.losses))):
        return GateVerdict(False, "a loss is not finite")
    if result.steps == 0:
        return GateVerdict(False, "no step improved on the base")
    gain = (sum(before) - sum(after)) / len(before)
    harm = max(b - a for a, b in zip(before, after, strict=True))
    if harm > epsilon:
        return GateVerdict(False, f"a held-out loss rose by {harm:.3f} > {epsilon:g} nats")
    if gain < delta:
        return GateVerdict(False, f"held-out loss changed by {-gain:+.3f} nats, not by -{delta:g}")
    return GateVerdict(True, f"held-out loss fell by {gain:.3f} nats")

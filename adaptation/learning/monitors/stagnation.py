"""Stagnation: generation after generation, held-out accuracy does not rise."""

from __future__ import annotations

from collections.abc import Sequence

from adaptation.learning.monitors.alarm import Alarm
from memory.versions.judgements import Judgement

GENERATIONS = 3
LEAST_RISE = 0.01


def stagnation(judged: Sequence[Judgement]) -> Alarm | None:
    """Look at the last generations, the oldest first."""
    last = judged[-GENERATIONS:]
    if len(last) < GENERATIONS:
        return None
    rise = max(each.after for each in last) - max(last[0].before, last[0].after)
    if any(each.promoted for each in last) or rise >= LEAST_RISE:
        return None
    told = (
        f"held-out accuracy changed by {rise:+.1%} in {GENERATIONS} generations: add other records"
    )
    return Alarm(monitor="stagnation", message=told, value=rise, limit=LEAST_RISE)

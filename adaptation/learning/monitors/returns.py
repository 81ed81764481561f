"""Return on a generation: what it gained for what it cost."""

from __future__ import annotations

from collections.abc import Sequence

from adaptation.learning.monitors.alarm import Alarm
from memory.judgements import Judgement

IN_VAIN = 2
"""Generations without a return, after which the run halts (`budget.History.halts`)."""


def returns(judged: Sequence[Judgement]) -> Alarm | None:
    """Look at the last generations, the oldest first."""
    last = judged[-IN_VAIN:]
    if len(last) < IN_VAIN or any(point_returns(each) > 0 for each in last):
        return None
    hours = sum(each.seconds for each in last) / 3600
    told = f"{IN_VAIN} generations and {hours:.2g} hours brought nothing: the next needs --anyway"
    return Alarm(monitor="returns", message=told, value=0.0, limit=0.0)


def point_returns(judged: Judgement) -> float:
    """Return the points of held-out accuracy gained an hour; none of what is not served."""
    gain = 100 * (judged.after - judged.before) if judged.promoted else 0.0
    return gain / max(judged.seconds / 3600, 1e-9)

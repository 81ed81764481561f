"""Return on a generation: what it gained for what it cost.

return = points gained ÷ cost; the points are 100 × (share of the held-out questions that the
candidate answers rightly − share that what is served does), none where the candidate is not let
through; the cost is the hours of the generation, or the millions of tokens that it trained on.
"""

from __future__ import annotations

from collections.abc import Sequence

from adaptation.learning.monitors.alarm import Alarm
from memory.types import Frozen
from memory.versions.judgements import Judgement

IN_VAIN = 2
"""Generations without a return, after which the run halts (`budget.History.halts`)."""


class Returns(Frozen):
    """What a generation gained, and that by what it cost."""

    points: float
    """Points of held-out accuracy gained; 0 for a candidate that is not let through."""
    per_hour: float
    """Points by the hours of training and judging it."""
    per_million_tokens: float
    """Points by the millions of tokens that were trained on."""


def returns(judged: Sequence[Judgement]) -> Alarm | None:
    """Look at the last generations, the oldest first."""
    last = judged[-IN_VAIN:]
    if len(last) < IN_VAIN or any(point_returns(each) > 0 for each in last):
        return None
    hours = sum(each.seconds for each in last) / 3600
    told = (
        f"{IN_VAIN} generations and {hours:.2g} hours brought nothing: "
        "the next needs more to learn from, or --anyway"
    )
    return Alarm(monitor="returns", message=told, value=0.0, limit=0.0)


def point_returns(judged: Judgement) -> float:
    """Return the points of held-out accuracy gained an hour; none of what is not let through."""
    return _points(judged) / max(judged.seconds / 3600, 1e-9)


def returns_of(judged: Judgement, tokens: int) -> Returns:
    """Return what a generation that trained on so many tokens brought for its cost."""
    points = _points(judged)
    by_tokens = points / (max(tokens, 1) / 1e6)
    return Returns(points=points, per_hour=point_returns(judged), per_million_tokens=by_tokens)


def _points(judged: Judgement) -> float:
    return 100 * (judged.after - judged.before) if judged.promoted else 0.0

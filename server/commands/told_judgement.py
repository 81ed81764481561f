"""How a generation was judged, as a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adaptation.learning.distillation.report import Accuracy, Aim, GenerationReport


def judged_fields(report: GenerationReport) -> dict[str, object]:
    """Return what judged it, what was right before and after, and what that cost."""
    of = f"development questions of {report.target.name}" if report.target else "held-out questions"
    many = f"{report.holdout} {of}{', the hardest first' if report.hardest_first else ''}"
    fields: dict[str, object] = {"judged by": many}
    if report.target is not None:
        fields["target"] = _aim(report.target)
    elif report.accuracy is not None:
        fields["held-out right"] = _right(report.accuracy)
    if budget := report.budget:
        fields["judged by"] = f"{report.asked} of {many}"
        staked = f"{budget.alpha:.2g} staked of {budget.left:.2g} left, {budget.spent} spent before"
        fields["error budget"] = f"{staked}; e = {report.e_value:.3g}, needs {1 / budget.alpha:.3g}"
    return fields


def _aim(aim: Aim) -> str:
    name = aim.name if aim.level is None else f"{aim.name} at level {aim.level}"
    if aim.right is None:
        return name
    return f"{name}, right of {aim.asked}: {_right(aim.right)}"


def _right(accuracy: Accuracy) -> str:
    before = f"base {accuracy.base:.1%}, served {accuracy.current:.1%}"
    return f"{before}, candidate {accuracy.candidate:.1%}"

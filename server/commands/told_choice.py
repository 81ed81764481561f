"""How a generation chose what to learn from, as a person reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adaptation.learning.candidates.bandit import Worth
    from adaptation.learning.candidates.choosing import Told
    from adaptation.learning.distillation.report import GenerationReport


def chosen_fields(report: GenerationReport) -> dict[str, object]:
    """Return what a report tells of how its records were chosen."""
    fields: dict[str, object] = {}
    if report.written or report.unsolved:
        fields["bare corrections"] = (
            f"{report.written} with a solution that the model wrote, {report.unsolved} left out "
            "as it wrote none"
        )
    if (choice := report.selection) is None:
        return fields
    fields["chosen by"] = f"{choice.policy}, which had a chance of {choice.propensity:.0%}"
    if choice.left_out:
        fields["chosen"], fields["not chosen"] = _scores(choice.chosen), _scores(choice.left_out)
    else:
        fields["scores"] = _scores(choice.chosen)
    if past := [_worth(worth) for worth in choice.past if worth.generations]:
        fields["earlier gains"] = "; ".join(past)
    return fields


def worth_rows(past: Sequence[Worth]) -> list[tuple[object, ...]]:
    """Return a row of a table for each policy."""
    return [
        (each.policy, each.generations, _points(each.gain), _points(each.estimate)) for each in past
    ]


def _scores(told: Told) -> str:
    at_times = "" if told.frontier is None else f", right at times {told.frontier:.0%}"
    return (
        f"{told.records} records{at_times}; medians: perplexity {told.perplexity:.3g}, "
        f"novelty {told.novelty:.2f}, influence {told.influence:.2f}, {told.tokens:g} tokens"
    )


def _worth(worth: Worth) -> str:
    estimate = "" if worth.estimate is None else f" ({_points(worth.estimate)} if always)"
    return f"{worth.policy} {_points(worth.gain)} in {worth.generations}{estimate}"


def _points(gain: float | None) -> str:
    return "" if gain is None else f"{100 * gain:+.1f} points"

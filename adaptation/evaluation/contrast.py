"""Two lists of trials on the same questions: what the second does better, and at what price."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adaptation.evaluation.trial import Case, Trial
from adaptation.statistics import (
    Interval,
    bootstrap_difference,
    bootstrap_ratio,
    not_worse,
    paired,
)

NO_HARM_MARGIN = 0.01
"""A loss of one point is the most that still counts as no harm."""

Question = tuple[str, int, int, int]
"""Suite, level, world and number: what trials of different arms or runs are paired by."""


@dataclass(frozen=True)
class Contrast:
    """The second against the first, on the questions that both were asked."""

    pairs: int
    first: float
    """Share of the pairs that the first got right."""
    second: float
    difference: Interval
    """second − first, with a paired 95 % bootstrap interval."""
    helped: int
    """Wrong by the first, right by the second."""
    hurt: int
    p_value: float
    """Exact McNemar, two-sided."""
    tokens: Interval
    """Generated tokens, second / first, with a paired 95 % bootstrap interval."""
    no_harm: bool
    """Whether the interval rules out a loss of more than `NO_HARM_MARGIN`."""


def question_of(case: Case) -> Question:
    """Return what a case has in common with the same question under another arm."""
    return case.suite, case.level, case.world, case.number


def match(first: Iterable[Trial], second: Iterable[Trial]) -> list[tuple[Trial, Trial]]:
    """Return the trials of equal questions, in the order of the first."""
    others = {question_of(trial.case): trial for trial in second}
    return [(trial, others[key]) for trial in first if (key := question_of(trial.case)) in others]


def contrast(pairs: Sequence[tuple[Trial, Trial]], seed: int) -> Contrast:
    """Compare the second of each pair with the first; what was not judged counts as wrong."""
    before, after = ([pair[side].right for pair in pairs] for side in (0, 1))
    answered = [pair for pair in pairs if not any(trial.refused for trial in pair)]
    base, spent = ([pair[side].generated_tokens for pair in answered] for side in (0, 1))
    outcome = paired(before, after)
    difference = bootstrap_difference(after, before, seed)
    return Contrast(
        pairs=len(pairs),
        first=_share(before),
        second=_share(after),
        difference=difference,
        helped=outcome.helped,
        hurt=outcome.hurt,
        p_value=outcome.p_value,
        tokens=bootstrap_ratio(spent, base, seed),
        no_harm=not_worse(difference, NO_HARM_MARGIN),
    )


def _share(outcomes: Sequence[bool]) -> float:
    return sum(outcomes) / len(outcomes) if outcomes else float("nan")

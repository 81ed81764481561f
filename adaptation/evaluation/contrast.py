"""Two lists of trials on the same questions: what the second does better, and at what price.

Questions of one world share its examples, and often what was trained on them: intervals resample
the worlds of a suite, then the questions of a world, each suite by itself. Suites without worlds
are resampled question by question.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from adaptation.evaluation.trial import Case, Trial
from adaptation.statistics import (
    Interval,
    Resamples,
    not_worse,
    paired,
    score_difference,
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
    """second − first, with a paired 95 % bootstrap interval; where that has no width, `score`."""
    score: Interval
    """The same with Tango's score interval, which takes questions to be independent: a bootstrap
    knows no flip that it has not seen, and would rule out any harm with a few equal pairs."""
    helped: int
    """Wrong by the first, right by the second."""
    hurt: int
    p_value: float
    """Exact McNemar, two-sided; takes questions to be independent."""
    tokens: Interval
    """Generated tokens, second / first, with a paired 95 % bootstrap interval."""
    no_harm: bool
    """Whether both intervals rule out a loss of more than `NO_HARM_MARGIN`."""


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
    outcome = paired(before, after)
    resamples = _resamples(pairs, seed)
    drawn = resamples.mean(np.subtract(after, before, dtype=float))
    score = score_difference(outcome.helped, outcome.hurt, len(pairs))
    difference = drawn if drawn.low < drawn.high else score
    return Contrast(
        pairs=len(pairs),
        first=_share(before),
        second=_share(after),
        difference=difference,
        score=score,
        helped=outcome.helped,
        hurt=outcome.hurt,
        p_value=outcome.p_value,
        tokens=_tokens(pairs, resamples, seed),
        no_harm=all(not_worse(each, NO_HARM_MARGIN) for each in (difference, score)),
    )


def _resamples(pairs: Sequence[tuple[Trial, Trial]], seed: int) -> Resamples:
    return Resamples([(first.case.suite, first.case.world) for first, _ in pairs], seed)


def _tokens(pairs: Sequence[tuple[Trial, Trial]], resamples: Resamples, seed: int) -> Interval:
    """Compare what questions cost that both answered; `resamples` are those of all pairs."""
    answered = [pair for pair in pairs if not any(trial.refused for trial in pair)]
    base, spent = ([pair[side].generated_tokens for pair in answered] for side in (0, 1))
    if len(answered) < len(pairs):
        resamples = _resamples(answered, seed)
    return resamples.ratio(spent, base)


def _share(outcomes: Sequence[bool]) -> float:
    return sum(outcomes) / len(outcomes) if outcomes else float("nan")

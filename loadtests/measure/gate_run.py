"""Runs of generations whose worth is known: what the gate promotes of them, and what it asks. Pure.

Every held-out question has a chance to be helped and a chance to be hurt; nothing else of a
candidate matters to the gate. Each run is judged twice, by the same draws: as `whet distill` does,
and by McNemar's exact test at 5 % in every generation, which asks all there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adaptation.learning.distillation.budget import History
from adaptation.learning.distillation.gate import Verdict, look
from adaptation.learning.distillation.judging import BLOCK
from adaptation.statistics import flips, mcnemar_one_sided
from memory.versions.judgements import Judgement

ALPHA = 0.05
Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class Candidate:
    """How a candidate's answers differ from those of what is served."""

    gain: float
    """Share of the questions that it helps, less that of those it hurts."""
    discordance: float
    """Share of the questions on which the two disagree."""
    right: float = 0.6
    """Share of the questions that what is served answers rightly."""

    def draw(self, questions: int, rng: np.random.Generator) -> tuple[Marks, Marks]:
        """Return what is served's marks and the candidate's: (questions,) each."""
        helped, hurt = (self.discordance + self.gain) / 2, (self.discordance - self.gain) / 2
        served = rng.random(questions) < self.right
        flipped = rng.random(questions) < np.where(
            served, hurt / self.right, helped / (1 - self.right)
        )
        return served, served ^ flipped


@dataclass(frozen=True)
class Outcome:
    """What became of one generation."""

    promoted: bool
    asked: int
    """Held-out questions put to what is served and to the candidate."""


def with_budget(pairs: tuple[Marks, Marks], alpha: float) -> Outcome:
    """Judge as a generation is judged that stakes `alpha`."""
    served, candidate = (marks.tolist() for marks in pairs)
    asked, verdict = 0, Verdict.GO_ON
    while verdict is Verdict.GO_ON:
        asked = min(asked + BLOCK, len(served))
        verdict = look(served[:asked], candidate[:asked], len(served) - asked, alpha)
    return Outcome(verdict is Verdict.BETTER, asked)


def each_at_five_percent(pairs: tuple[Marks, Marks]) -> Outcome:
    """Judge as a gate does that asks all, and knows nothing of earlier generations."""
    helped, hurt = flips(*(marks.tolist() for marks in pairs))
    wins = helped > hurt and mcnemar_one_sided(helped, hurt) < ALPHA
    return Outcome(wins, len(pairs[0]))


def run(
    candidate: Candidate, generations: int, questions: int, rng: np.random.Generator
) -> Iterator[tuple[Outcome, Outcome]]:
    """Yield for each generation of a run what the budgeted gate and the other one make of it."""
    judged: list[Judgement] = []
    for _ in range(generations):
        pairs = candidate.draw(questions, rng)
        outcome = with_budget(pairs, History(judged).stake(ALPHA))
        judged.append(_judgement(promoted=outcome.promoted))
        yield outcome, each_at_five_percent(pairs)


def judged_after(
    idle: int, candidate: Candidate, questions: int, rng: np.random.Generator
) -> tuple[Outcome, Outcome]:
    """Judge one candidate after so many generations in vain."""
    pairs = candidate.draw(questions, rng)
    stake = History([_judgement(promoted=False)] * idle).stake(ALPHA)
    return with_budget(pairs, stake), each_at_five_percent(pairs)


def _judgement(*, promoted: bool) -> Judgement:
    """Return what the budget reads of a judgement: whether it promoted."""
    return Judgement(
        tenant="",
        base_model="",
        adapter_id="",
        promoted=promoted,
        alpha=ALPHA,
        e_value=0.0,
        helped=0,
        hurt=0,
        before=0.0,
        after=0.0,
        train=0,
        seconds=0.0,
        record_ids=(),
    )

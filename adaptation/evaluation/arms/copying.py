"""The nearest example's answer, unread: what looking similar alone is worth."""

from __future__ import annotations

from dataclasses import dataclass

from adaptation.evaluation.arms.arm import Outcome, Question


@dataclass(frozen=True)
class Copied:
    """Retrieval without a model; costs no token."""

    needs_whet: bool = False
    needs_examples: bool = True

    async def answer(self, question: Question) -> Outcome:
        """Copy the solution of the most similar example."""
        assert question.library is not None
        nearest = question.library.nearest(question.problem.question, question.problem.task)
        return Outcome(nearest.record.rationale if nearest else "")

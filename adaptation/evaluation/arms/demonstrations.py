"""The same neighbours that training learns from, as earlier turns of the conversation instead."""

from __future__ import annotations

from dataclasses import dataclass

from adaptation.evaluation.arms.arm import Outcome, Question
from adaptation.evaluation.arms.sampling import sampled
from memory.types import Neighbour


@dataclass(frozen=True)
class Demonstrated:
    """In-context learning from `shots` solved examples: one sample, or a fixed vote."""

    shots: int
    vote: bool = False
    needs_whet: bool = False
    needs_examples: bool = True

    async def answer(self, question: Question) -> Outcome:
        """Show the most informative neighbours, the best of them last, and ask."""
        assert question.library is not None
        task = question.problem.task
        chosen = question.library.neighbours(question.problem.question, task)[: self.shots]
        asked = {"role": "user", "content": question.problem.question}
        messages = [turn for each in reversed(chosen) for turn in _turns(each)]
        return await sampled(question, vote=self.vote, messages=[*messages, asked])


def _turns(neighbour: Neighbour) -> list[dict[str, str]]:
    record = neighbour.record
    return [
        {"role": "user", "content": record.question},
        {"role": "assistant", "content": record.rationale},
    ]

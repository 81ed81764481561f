"""The strategies of Whet, as an app asks for them."""

from __future__ import annotations

from dataclasses import dataclass

from adaptation.evaluation.arms.arm import Outcome, Question
from adaptation.options import Strategy

LEARNING = frozenset({Strategy.DEMONSTRATIONS, Strategy.TTT, Strategy.AUTO})


@dataclass(frozen=True)
class Adaptive:
    """A strategy that reads this world's examples, where it uses any, and writes nothing."""

    strategy: Strategy
    is_checked: bool = False
    """Whether a verifier knows the right answer, as tests know a right program."""
    needs_whet: bool = True

    @property
    def needs_examples(self) -> bool:
        """Whether it learns from them."""
        return self.strategy in LEARNING

    async def answer(self, question: Question) -> Outcome:
        """Ask once; what is returned is judged."""
        settings = question.settings
        adaptation: dict[str, object] = {
            "temperature": settings.temperature,
            "max_samples": settings.votes,
            "answer": question.suite.answer.model_dump(exclude_none=True),
            "memory": {
                "read": self.needs_examples,
                "write": False,
                "reuse": False,  # what is measured is how answers are found
                "task": question.task,
            },
        }
        if self.is_checked:
            adaptation["verifiers"] = [{"type": "math", "reference": question.problem.answer}]
        reply = await question.target.ask(
            question.request(strategy=self.strategy, adaptation=adaptation)
        )
        return Outcome(reply.texts[0], reply)

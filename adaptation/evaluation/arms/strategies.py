"""The strategies of Whet, as an app asks for them."""

from __future__ import annotations

from dataclasses import dataclass

from adaptation.evaluation.arms.arm import Outcome, Question
from adaptation.options import Strategy


@dataclass(frozen=True)
class Adaptive:
    """`consistency`, `ttt` or `auto`, reading this world's examples and writing nothing."""

    strategy: Strategy
    needs_whet: bool = True

    @property
    def needs_examples(self) -> bool:
        """Whether it trains."""
        return self.strategy is not Strategy.CONSISTENCY

    async def answer(self, question: Question) -> Outcome:
        """Ask once; what is returned is judged."""
        settings = question.settings
        adaptation = {
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
        reply = await question.target.ask(
            question.request(strategy=self.strategy, adaptation=adaptation)
        )
        return Outcome(reply.texts[0], reply)

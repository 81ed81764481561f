"""One sample, greedy or not, and the fixed vote: strategy `plain`, which any server can do."""

from __future__ import annotations

from dataclasses import dataclass

from adaptation.answers.plurality import leader
from adaptation.evaluation.arms.arm import Outcome, Question


@dataclass(frozen=True)
class Sampled:
    """A sample, or `votes` of them and the most frequent answer, counted by the client."""

    greedy: bool = False
    vote: bool = False
    needs_whet: bool = False
    needs_examples: bool = False

    async def answer(self, question: Question) -> Outcome:
        """Ask once, with `n` choices where there is a vote."""
        temperature = 0.0 if self.greedy else question.settings.temperature
        n = question.settings.votes if self.vote else 1
        reply = await question.target.ask(question.request(temperature=temperature, n=n))
        if not self.vote:
            return Outcome(reply.texts[0], reply)
        chosen = leader(reply.texts, question.suite.answer)
        return Outcome(reply.texts[chosen], reply, reply.texts)

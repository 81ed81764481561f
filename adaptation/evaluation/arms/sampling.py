"""One sample, greedy or not, and the fixed vote: strategy `plain`, which any server can do."""

from __future__ import annotations

from dataclasses import dataclass

from adaptation.evaluation.arms.arm import Outcome, Question
from memory.identity.answers.plurality import leader


@dataclass(frozen=True)
class Sampled:
    """A sample, or `votes` of them and the most frequent answer, counted by the client."""

    greedy: bool = False
    vote: bool = False
    most: int | None = None
    """Samples of the vote; None: as many as the run has."""
    needs_whet: bool = False
    needs_examples: bool = False

    async def answer(self, question: Question) -> Outcome:
        """Ask once, with `n` choices where there is a vote."""
        temperature = 0.0 if self.greedy else question.settings.temperature
        return await sampled(question, vote=self.vote, most=self.most, temperature=temperature)


async def sampled(
    question: Question, *, vote: bool, most: int | None = None, **changes: object
) -> Outcome:
    """Ask the question with some things changed: one sample, or the winner of a fixed vote."""
    n = (most or question.settings.votes) if vote else 1
    reply = await question.target.ask(question.request(n=n, **changes))
    if not vote:
        return Outcome(reply.texts[0], reply)
    return Outcome(reply.texts[leader(reply.texts, question.suite.answer)], reply, reply.texts)

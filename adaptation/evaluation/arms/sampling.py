"""One sample, greedy or not, and the fixed vote: strategy `plain`, which any server can do."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from adaptation.answers import extract
from adaptation.evaluation.arms.arm import Outcome, Question
from adaptation.options import AnswerOptions


@dataclass(frozen=True)
class Sampled:
    """A sample, or `votes` of them and the most frequent answer.

    Self-consistency (Wang et al. 2022, arXiv 2203.11171), counted by the client.
    """

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
        return Outcome(plurality(reply.texts, question.suite.answer), reply, reply.texts)


def plurality(texts: tuple[str, ...], options: AnswerOptions) -> str:
    """The first text that gives the most frequent answer; a text without an answer has no vote."""
    answers = [extract(text, options) for text in texts]
    keys = [answer.key if answer else None for answer in answers]
    counts = Counter(key for key in keys if key is not None)
    return texts[keys.index(counts.most_common(1)[0][0])] if counts else texts[0]

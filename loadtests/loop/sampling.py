"""Asking a version sixteen times: what one sample, a vote and the default rule make of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adaptation.conversation import Conversation
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.suite import Suite
from adaptation.learning.training.trainer import Draw, GeneratingTrainer, OnStep
from adaptation.options import Options
from adaptation.types import Sample
from adaptation.voting.stopping import BayesianRule
from adaptation.voting.tally import Tally
from loadtests.measure.loop import VOTES, Tried
from memory.identity.answers import Answer, extract
from memory.types import Message

MOST_TOKENS, TIMEOUT_S = 128, 6 * 3600.0
USUAL = Options()
"""Of a request that asks for nothing: temperature and confidence of its votes."""
Count = Callable[[str], int]
"""How many tokens a text has."""


@dataclass(frozen=True)
class Question:
    """A question, the suite that judges the replies, and how near it is to a record."""

    suite: Suite
    solved: Solved
    near: float = 0.0

    @property
    def conversation(self) -> Conversation:
        """As it is asked, with its tools."""
        tools = [dict(tool) for tool in self.solved.tools]
        asked = Message(role="user", content=self.solved.question)
        return Conversation(messages=(asked,), request={"tools": tools} if tools else {})


@dataclass(frozen=True)
class Sampler:
    """Draws from the versions of one base, every time with the same seed."""

    trainer: GeneratingTrainer
    count: Count
    seed: int

    async def ask(
        self, questions: Sequence[Question], adapter: str | None, on_step: OnStep
    ) -> tuple[Tried, ...]:
        """Return what a version says to each question."""
        prompts = [question.conversation for question in questions for _ in range(VOTES)]
        draw = Draw(temperature=USUAL.temperature, seed=self.seed)
        texts = await self.trainer.generate(
            prompts, adapter, MOST_TOKENS, TIMEOUT_S, on_step, draw=draw
        )
        return tuple(
            self._tried(question, texts[place * VOTES : (place + 1) * VOTES])
            for place, question in enumerate(questions)
        )

    def _tried(self, question: Question, texts: Sequence[str]) -> Tried:
        read = [(text, extract(text, question.suite.answer)) for text in texts]
        right = [question.suite.verify(question.solved, text) for text in texts]
        early, drawn = vote(read, by_rule=True)
        voted, _ = vote(read, by_rule=False)
        keys = {answer.key if answer else text for text, answer in read}
        return Tried(
            suite=question.suite.name,
            right=tuple(right),
            tokens=tuple(min(self.count(text) + 1, MOST_TOKENS) for text in texts),
            voted=question.suite.verify(question.solved, voted),
            drawn=drawn,
            early=question.suite.verify(question.solved, early),
            distinct=len(keys),
            near=question.near,
        )


def vote(read: Sequence[tuple[str, Answer | None]], *, by_rule: bool) -> tuple[str, int]:
    """Return the text that wins and after how many votes: the default rule's, or all of them.

    Votes are counted one after the other: what a server has in flight beside them, and cancels, is
    not counted.
    """
    tally, rule = Tally(), BayesianRule()
    for place, (text, answer) in enumerate(read):
        sample = Sample(index=place, text=text, n_tokens=0, finish_reason="stop")
        tally.add(sample, answer)
        left = len(read) - tally.total
        if by_rule and rule.stop(tally.ballots, left, USUAL.confidence) is not None:
            break
    return tally.groups[0].example.text, tally.total

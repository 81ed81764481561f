"""An exercise: a question, its answer, and how a reply to it is judged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from adaptation.conversation import Conversation, spoken
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split
from adaptation.evaluation.suites.suite import Group, Suite, up_to
from memory.identity.answers import agree, canonical, extract
from memory.identity.answers.options import AnswerOptions
from memory.types import Message, Tier

Judge = Callable[[str], Awaitable[bool]]
"""Whether the whole text of a reply is right."""


@dataclass(frozen=True)
class Exercise:
    """A question whose answer something else than the model has computed."""

    question: str
    answer: str | None
    """None where any reply is one that is judged right, such as code that passes tests."""
    family: str
    level: int
    is_right: Judge = field(compare=False, repr=False)
    tier: Tier = Tier.EXECUTABLE
    """What its judge's word is worth."""
    worked: str | None = field(default=None, compare=False, repr=False)
    """A solution that its generator knows, where it is more than the answer."""

    @property
    def conversation(self) -> Conversation:
        """As it is asked."""
        return spoken(Message(role="user", content=self.question))


class Family(Protocol):
    """Exercises of one kind, in levels of difficulty; the first is the easiest."""

    @property
    def name(self) -> str:
        """Under which its records stand as a task."""
        ...

    @property
    def levels(self) -> range:
        """The difficulties there are."""
        ...

    async def draw(self, n: int, level: int, seed: int) -> list[Exercise]:
        """Return up to `n` different exercises; none of them is a suite's evaluation question."""
        ...


@dataclass(frozen=True)
class OfSuite:
    """A suite of the proving ground as a family, with its own generator and scorer."""

    suite: Suite

    @property
    def name(self) -> str:
        """As `whet eval --suite` takes it."""
        return self.suite.name

    @property
    def levels(self) -> range:
        """Return the levels of the suite."""
        return self.suite.levels

    async def draw(self, n: int, level: int, seed: int) -> list[Exercise]:
        """Draw questions of the training split; raises `SuiteError`."""
        drawn = partial(up_to, n, self.suite, split=Split.TRAINING, seed=seed, level=level)
        found = await asyncio.to_thread(drawn)
        return [self._exercise(problem, level) for problem in found]

    def _exercise(self, problem: Solved, level: int) -> Exercise:
        async def judge(reply: str) -> bool:
            return await asyncio.to_thread(self.suite.verify, problem, reply)

        is_worked = self.suite.group is Group.IN_DISTRIBUTION
        worked = problem.rationale if is_worked else None
        question, answer = problem.question, problem.answer
        return Exercise(question, answer, self.name, level, judge, worked=worked)


def equals(answer: str) -> Judge:
    """Return a judge that reads the answer out of a reply and compares it by value."""

    async def judge(reply: str) -> bool:
        found = extract(reply, AnswerOptions())
        return found is not None and agree(found.key, canonical(answer))

    return judge

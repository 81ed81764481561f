"""Who poses exercises: a family's generator, or the model after verified examples.

The model is shown a few examples as if it had written them, and asked for another one (as
Self-Instruct does, arXiv 2212.10560). What fits the frame of an example has an answer that is
computed; all else is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from adaptation.conversation import Conversation, spoken
from adaptation.evaluation.suites.split import Split, split_of
from adaptation.learning.practice.exercise import Exercise, Family, equals
from adaptation.learning.practice.frames import Frame, frame_of
from adaptation.learning.practice.programs import BEFORE, FRAME
from memory.types import Message, Source

EXAMPLES = 3
"""Shown with each request for another one."""
FIRST, MORE = "Write an exercise.", "Write another one, different from those before."
Ask = Callable[[Sequence[Conversation], int], Awaitable[list[str]]]
"""(prompts, seed) → the model's replies."""


@dataclass(frozen=True)
class Posed:
    """Exercises, and how many that the model wrote were none."""

    exercises: Sequence[Exercise]
    refused: int = 0


class Poser(Protocol):
    """Poses exercises of one family."""

    @property
    def source(self) -> Source:
        """What becomes of it is from there."""
        ...

    @property
    def family(self) -> Family:
        """What it poses exercises of, or after."""
        ...

    async def pose(self, n: int, level: int, seed: int) -> Posed:
        """Return up to `n`."""
        ...


@dataclass(frozen=True)
class Drawn:
    """A family's own generator."""

    family: Family
    source: Source = Source.ENVIRONMENT

    async def pose(self, n: int, level: int, seed: int) -> Posed:
        """Draw them."""
        return Posed(await self.family.draw(n, level, seed))


@dataclass(frozen=True)
class Written:
    """The model, after examples of the family at the level that is wanted."""

    family: Family
    ask: Ask
    source: Source = Source.SELF_PLAY

    async def pose(self, n: int, level: int, seed: int) -> Posed:
        """Have the model write them, and compute what they come to."""
        examples = await self.family.draw(2 * EXAMPLES, level, seed)
        frames = [frame for each in examples if (frame := await _frame(each))]
        if not frames:
            return Posed((), n)
        rng = Random(seed)
        shown = [rng.sample(examples, min(EXAMPLES, len(examples))) for _ in range(n)]
        replies = await self.ask([asked_after(each) for each in shown], seed)
        known = {example.question for example in examples}
        found: dict[str, Exercise] = {}
        for question in map(written_in, replies):
            answer = await _answer(question, frames)
            if answer is not None and question not in known and _may_be_learned(question):
                name = self.family.name
                found[question] = Exercise(question, answer, name, level, equals(answer))
        return Posed(list(found.values()), n - len(found))


def asked_after(examples: Sequence[Exercise]) -> Conversation:
    """Return a conversation in which the model has written the examples, and is to go on."""
    turns: list[Message] = []
    for place, example in enumerate(examples):
        turns.append(Message(role="user", content=MORE if place else FIRST))
        turns.append(Message(role="assistant", content=example.question))
    return spoken(*turns, Message(role="user", content=MORE))


def written_in(reply: str) -> str:
    """Return the exercise in a reply, without what models put around one."""
    text = reply.strip()
    for opening in ("Exercise:", "Question:"):
        text = text.removeprefix(opening).strip()
    return text.strip('"') if text.startswith('"') and text.endswith('"') else text


async def _frame(example: Exercise) -> Frame | None:
    if example.answer is None:
        return None
    if example.question.startswith(BEFORE):
        return FRAME
    return await frame_of(example.question, example.answer)


async def _answer(question: str, frames: Sequence[Frame]) -> str | None:
    for frame in dict.fromkeys(frames):
        if (answer := await frame.answer_of(question)) is not None:
            return answer
    return None


def _may_be_learned(question: str) -> bool:
    """Whether a question is of no suite's evaluation."""
    return split_of(question) is Split.TRAINING

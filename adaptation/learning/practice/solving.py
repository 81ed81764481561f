"""The model tries exercises several times; how often it is right is how hard they are for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from adaptation.conversation import Conversation
from adaptation.learning.practice.exercise import Exercise

TRIES = 8
TOO_EASY = 0.8
"""Share of right tries from which an exercise teaches nothing."""
Try = Callable[[Sequence[Conversation], int], Awaitable[list[str]]]
"""(prompts, seed) → replies drawn from what is served."""


@dataclass(frozen=True)
class Attempted:
    """An exercise, and the replies to it that were right."""

    exercise: Exercise
    right: tuple[str, ...]
    tries: int

    @property
    def pass_rate(self) -> float:
        """Share of right tries."""
        return len(self.right) / self.tries

    @property
    def teaches(self) -> bool:
        """Whether the model cannot always solve it, and there is a solution to learn."""
        return self.pass_rate <= TOO_EASY and self.solution is not None

    @property
    def solution(self) -> str | None:
        """The shortest right reply; without one, the generator's own."""
        return min(self.right, key=len) if self.right else self.exercise.worked


async def attempt(exercises: Sequence[Exercise], reply: Try, tries: int = TRIES) -> list[Attempted]:
    """Try every exercise so often; whatever judges an exercise judges the replies."""
    right: list[list[str]] = [[] for _ in exercises]
    prompts = [exercise.conversation for exercise in exercises]
    for seed in range(tries if prompts else 0):
        replies = await reply(prompts, seed)
        for found, exercise, text in zip(right, exercises, replies, strict=True):
            if await exercise.is_right(text):
                found.append(text)
    return [
        Attempted(exercise, tuple(found), tries)
        for exercise, found in zip(exercises, right, strict=True)
    ]

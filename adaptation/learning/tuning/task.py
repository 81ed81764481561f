"""What a recipe is tried on: examples to learn from, and questions that only they explain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adaptation.conversation import Conversation
from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split
from adaptation.evaluation.suites.suite import WORLD_SEEDS, Group
from memory.types import Message

EXAMPLES, HELD_OUT = 48, 6
"""Records of each task: as many as a request trains on, and is judged by."""
LEVEL = 2
FIRST_WORLD = WORLD_SEEDS[Split.DEVELOPMENT].start
"""Worlds of development: none of them is ever asked about in an evaluation."""


@dataclass(frozen=True)
class Question:
    """A question to answer after training, and whether a reply is right."""

    conversation: Conversation
    is_right: Callable[[str], bool]


@dataclass(frozen=True)
class Task:
    """A neighbourhood to train on, and the questions that judge the training."""

    name: str
    learned: tuple[Conversation, ...]
    held_out: tuple[Conversation, ...]
    """For the stopping rule of the training."""
    questions: tuple[Question, ...]
    held_out_questions: tuple[Question, ...] = ()
    """What the held-out conversations ask, for a gate that has it answered."""


def of_worlds(
    worlds: int,
    questions: int,
    held_out: int = HELD_OUT,
    group: Group = Group.SHIFTED,
    *,
    first: int = FIRST_WORLD,
) -> list[Task]:
    """Development worlds of every suite of a group from `first` on, one of each suite first."""
    names = [name for name, suite in SUITES.items() if suite.group is group]
    return [
        _of_world(name, first + world, questions, held_out)
        for world in range(worlds)
        for name in names
    ]


def _of_world(name: str, world: int, n: int, held_out: int) -> Task:
    suite = SUITES[name]
    known = suite.problems(
        EXAMPLES + held_out, split=Split.MEMORY, seed=0, level=LEVEL, world=world
    )
    asked = suite.problems(n, split=Split.DEVELOPMENT, seed=0, level=LEVEL, world=world)

    def question(solved: Solved) -> Question:
        return Question(
            Conversation(messages=(_asked(solved),)), lambda reply: suite.verify(solved, reply)
        )

    solutions = [_solved(solved) for solved in known]
    return Task(
        f"{name}/{world}",
        tuple(solutions[:EXAMPLES]),
        tuple(solutions[EXAMPLES:]),
        tuple(map(question, asked)),
        tuple(map(question, known[EXAMPLES:])),
    )


def _asked(solved: Solved) -> Message:
    return Message(role="user", content=solved.question)


def _solved(solved: Solved) -> Conversation:
    reply = Message(role="assistant", content=solved.rationale)
    return Conversation(messages=(_asked(solved), reply))


def longest(tasks: Sequence[Task]) -> int:
    """Characters of the longest solution, which bounds what is generated."""
    return max(len(each.messages[-1].content) for task in tasks for each in task.learned)

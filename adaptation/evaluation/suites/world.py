"""Worlds: tasks that only solved examples explain.

A world draws private rules from its seed. Every rule is asked about in the same sentence form and
over the same range of numbers, so the question leaks nothing: a model that has not learned the
world (from its context, or by a few gradient steps) can only guess. The worked solution *states
the rule, then applies it*: what is learned from one example then holds for every other number.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split, draw_distinct
from adaptation.evaluation.suites.suite import AUTO, Group, Verify, answers_alike
from memory.identity.answers.options import AnswerOptions


class World(Protocol):
    """One private set of rules."""

    def draw(self, rng: Random, level: int) -> Solved:
        """Return a question about the rules."""
        ...


@dataclass(frozen=True)
class Shifted:
    """A suite of worlds, each known by its seed."""

    name: str
    world: Callable[[int], World]
    levels: range
    default_level: int
    check: Verify = answers_alike
    answer: AnswerOptions = AUTO
    group: Group = Group.SHIFTED
    worlds: int = 6
    caveat: str | None = None

    def problems(
        self, n: int, *, split: Split, seed: int, level: int, world: int = 0
    ) -> list[Solved]:
        """`n` different questions about the world with the seed `world`."""
        rules = self.world(world)
        rng = Random(f"{self.name} {world} {split.name} {seed} {level}")
        return draw_distinct(n, split, lambda rng: rules.draw(rng, level), rng)

    def verify(self, problem: Solved, reply: str) -> bool:
        """Whether the reply is right."""
        return self.check(problem, reply)

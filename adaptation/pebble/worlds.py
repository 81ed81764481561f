"""Worlds: tasks that only solved examples explain.

A world draws private rules from its seed. Every rule is asked about in the same sentence form and
over the same range of numbers, so the question leaks nothing: a model that has not learned the
world (from its context, or by a few gradient steps) can only guess. The worked solution *states
the rule, then applies it*: what is learned from one example then holds for every other number.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Protocol

from adaptation.pebble.arithmetic import arithmetic
from adaptation.pebble.solved import Solved, solved
from adaptation.pebble.words import ITEMS, JARGON

__all__ = [
    "FIRST_TRAINING_SEED",
    "RULES",
    "Facts",
    "Jargon",
    "Rule",
    "Solved",
    "Split",
    "World",
    "arithmetic",
    "world_seed",
]

FIRST_TRAINING_SEED = 1_000
"""Seeds below are for evaluation only; pre-training draws all its worlds from this seed up."""

LAST_TRAINING_SEED = 2**40


class Split(Enum):
    """Which worlds a seed may be drawn for; the two ranges never meet."""

    EVALUATION = range(FIRST_TRAINING_SEED)
    TRAINING = range(FIRST_TRAINING_SEED, LAST_TRAINING_SEED)


def world_seed(rng: Random, split: Split) -> int:
    """A world's seed from one side of the split."""
    return rng.randrange(split.value.start, split.value.stop)


@dataclass(frozen=True)
class Rule:
    """A two-argument operation: its one-token name, its value and its written-out work."""

    verb: str
    value: Callable[[int, int], int]
    work: Callable[[int, int], str]


def _sum_then(change: int) -> Callable[[int, int], str]:
    """Write ``a+b`` and then a constant added to it."""

    def work(a: int, b: int) -> str:
        return f"{a}+{b}={a + b}, {a + b}{change:+d}={a + b + change}"

    return work


RULES = (
    Rule("adds", lambda a, b: a + b, lambda a, b: f"{a}+{b}={a + b}"),
    Rule(
        "differs",
        lambda a, b: abs(a - b),
        lambda a, b: f"{max(a, b)}-{min(a, b)}={abs(a - b)}",
    ),
    Rule("peaks", lambda a, b: max(a, b), lambda a, b: f"{max(a, b)}"),
    Rule("dips", lambda a, b: min(a, b), lambda a, b: f"{min(a, b)}"),
    Rule(
        "doubles",
        lambda a, b: 2 * a + b,
        lambda a, b: f"{a}+{a}={2 * a}, {2 * a}+{b}={2 * a + b}",
    ),
    Rule(
        "twins",
        lambda a, b: a + 2 * b,
        lambda a, b: f"{b}+{b}={2 * b}, {a}+{2 * b}={a + 2 * b}",
    ),
    Rule("bumps", lambda a, b: a + b + 1, _sum_then(1)),
    Rule("trims", lambda a, b: a + b - 1, _sum_then(-1)),
    Rule("raises", lambda a, b: a + b + 10, _sum_then(10)),
)


class World(Protocol):
    """What pre-training and evaluation need of a world."""

    def solved(self, n: int, seed: int) -> list[Solved]:
        """`n` distinct questions."""
        ...


def _distinct(n: int, draw: Callable[[], Solved]) -> list[Solved]:
    """Draw until `n` different questions are found."""
    found: dict[str, Solved] = {}
    while len(found) < n:
        task = draw()
        found.setdefault(task.question, task)
    return list(found.values())


class Jargon:
    """Five words, each meaning one of the rules: "What is 15 lamp 7, then river 3?"."""

    WORDS = 5
    SMALLEST, LARGEST = 2, 20

    def __init__(self, seed: int) -> None:
        rng = Random(f"jargon {seed}")
        rules = rng.sample(RULES, self.WORDS)
        self.meaning: dict[str, Rule] = dict(
            zip(rng.sample(JARGON, self.WORDS), rules, strict=True)
        )

    def solved(self, n: int, seed: int) -> list[Solved]:
        """`n` distinct questions, each through two different words."""
        rng = Random(seed)
        return _distinct(n, lambda: self._draw(rng))

    def _draw(self, rng: Random) -> Solved:
        first, second = rng.sample(list(self.meaning), 2)
        a, b, c = (rng.randint(self.SMALLEST, self.LARGEST) for _ in range(3))
        middle = self.meaning[first].value(a, b)
        answer = self.meaning[second].value(middle, c)
        return solved(
            f"What is {a} {first} {b}, then {second} {c}?",
            f"Here {self._step(first, a, b)}. Then {self._step(second, middle, c)}.",
            answer,
            "jargon",
        )

    def _step(self, word: str, a: int, b: int) -> str:
        rule = self.meaning[word]
        return f"{word} {rule.verb}: {rule.work(a, b)}"


class Facts:
    """A price list that no question states: "How much are 3 pens and 2 cups?"."""

    ITEMS = 5
    CHEAPEST, DEAREST = 2, 12

    def __init__(self, seed: int) -> None:
        rng = Random(f"facts {seed}")
        names = [plural for _, plural in rng.sample(ITEMS, self.ITEMS)]
        self.price = {name: rng.randint(self.CHEAPEST, self.DEAREST) for name in names}

    def solved(self, n: int, seed: int) -> list[Solved]:
        """`n` distinct questions, each about two different things."""
        rng = Random(seed)
        return _distinct(n, lambda: self._draw(rng))

    def _draw(self, rng: Random) -> Solved:
        (x, p), (y, q) = rng.sample(list(self.price.items()), 2)
        m, n = rng.randint(2, 9), rng.randint(2, 9)
        return solved(
            f"How much are {m} {x} and {n} {y}?",
            f"Here {x} cost {p}: {m}*{p}={m * p}. Then {y} cost {q}: {n}*{q}={n * q}. "
            f"In all {m * p}+{n * q}={m * p + n * q}.",
            m * p + n * q,
            "facts",
        )


def training_worlds(rng: Random) -> Iterator[World]:
    """An endless supply of fresh worlds, none of which evaluation will ever use."""
    while True:
        kind = Jargon if rng.random() < 0.5 else Facts
        yield kind(world_seed(rng, Split.TRAINING))

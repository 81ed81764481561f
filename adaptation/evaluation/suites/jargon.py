"""Jargon: "What is 15 lamp 7, then river 3?"; a level is one more word in a question.

A world gives five ordinary words a meaning each. Words, numbers and sentence form say nothing of
the operation, so an untaught model can only guess.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from adaptation.evaluation.suites.solved import Solved, solved
from adaptation.evaluation.suites.words import JARGON
from adaptation.evaluation.suites.world import Shifted


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


class Jargon:
    """Five words, each meaning one of the rules."""

    WORDS = 5
    SMALLEST, LARGEST = 2, 20

    def __init__(self, seed: int) -> None:
        rng = Random(f"jargon {seed}")
        rules = rng.sample(RULES, self.WORDS)
        self.task = f"jargon/{seed}"
        self.meaning: dict[str, Rule] = dict(
            zip(rng.sample(JARGON, self.WORDS), rules, strict=True)
        )

    def draw(self, rng: Random, level: int) -> Solved:
        """A question through `level` different words."""
        value = rng.randint(self.SMALLEST, self.LARGEST)
        asked, work = [f"What is {value}"], []
        for word in rng.sample(list(self.meaning), level):
            other, rule = rng.randint(self.SMALLEST, self.LARGEST), self.meaning[word]
            asked.append(f"{word} {other}")
            work.append(f"{word} {rule.verb}: {rule.work(value, other)}.")
            value = rule.value(value, other)
        question = f"{asked[0]} {', then '.join(asked[1:])}?"
        return solved(question, f"Here {' Then '.join(work)}", value, self.task)


SUITE = Shifted("jargon", Jargon, range(1, 4), 2)

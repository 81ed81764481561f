"""Sorting and counting; a level is one more entry of the list."""

from random import Random

from adaptation.evaluation.suites.solved import Solved, solved
from adaptation.evaluation.suites.suite import Generated, Group
from adaptation.evaluation.suites.words import ITEMS

SHORTEST = 2


def draw(rng: Random, level: int) -> Solved:
    """Either kind, as likely as the other."""
    return (_sorting if rng.random() < 0.5 else _counting)(rng, level)


def _sorting(rng: Random, level: int) -> Solved:
    numbers = rng.sample(range(1, 100), SHORTEST + level)
    down = rng.random() < 0.3
    listed, answer = (
        ", ".join(map(str, each)) for each in (numbers, sorted(numbers, reverse=down))
    )
    order = "large to small" if down else "small to large"
    return solved(f"Sort {listed} from {order}.", f"In order: {answer}.", answer, "lists")


def _counting(rng: Random, level: int) -> Solved:
    """How often one thing appears: the work counts it off."""
    chosen = rng.sample(ITEMS, 3)
    thing, things = chosen[0]
    row = [rng.choice(chosen)[0] for _ in range(2 * (SHORTEST + level))]
    hits = row.count(thing)
    work = ", ".join(f"{thing} {i + 1}" for i in range(hits)) or "none"
    question = f"How many {things} are in this list: {', '.join(row)}?"
    return solved(question, f"{work}.", hits, "lists")


SUITE = Generated("lists", Group.IN_DISTRIBUTION, draw, range(1, 6), 2)

"""Sums of whole numbers, from left to right: a level is a number more, and larger ones."""

from __future__ import annotations

from random import Random

from adaptation.evaluation.suites.solved import Solved, solved
from adaptation.evaluation.suites.suite import Generated, Group

LARGEST = (9, 20, 50, 99, 200, 500, 999)
"""By level, from 1."""


def draw(rng: Random, level: int) -> Solved:
    """A sum of `level` + 1 numbers."""
    have = rng.randint(1, LARGEST[level - 1])
    expression, work = str(have), list[str]()
    for _ in range(level):
        number, sign = rng.randint(1, LARGEST[level - 1]), rng.choice("+-")
        come = have + number if sign == "+" else have - number
        expression += f" {sign} {number}"
        work.append(f"{have}{sign}{number}={come}.")
        have = come
    return solved(f"What is {expression}?", " ".join(work), have, "sums")


SUITE = Generated("sums", Group.IN_DISTRIBUTION, draw, range(1, len(LARGEST) + 1), 3)

"""A tenant's own records as a family: after them the model writes synthetic questions.

Of use are records that people asked or brought and whose answers can be computed from their
questions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from adaptation.learning.practice.exercise import Exercise, equals
from adaptation.learning.practice.frames import frame_of
from memory.types import TIERS_THAT_TRAIN, Record

MOST = 512
"""Records that are looked at."""


@dataclass(frozen=True)
class Remembered:
    """Records as exercises; all are of one level."""

    exercises: tuple[Exercise, ...]
    name: str = "synthetic"
    levels: range = range(1, 2)

    async def draw(self, n: int, level: int, seed: int) -> list[Exercise]:
        """Return some of them."""
        return Random(seed).sample(self.exercises, min(n, len(self.exercises)))


async def remembered(records: Iterable[Record]) -> Remembered:
    """Return those of a tenant's records whose answers can be computed."""
    found: list[Exercise] = []
    for place, record in enumerate(records):
        if place >= MOST:
            break
        is_alone = len(record.messages) == 1 and not record.request
        may = record.source.is_real and record.tier in TIERS_THAT_TRAIN and is_alone
        if may and await frame_of(record.question, record.answer) is not None:
            judge = equals(record.answer)
            found.append(Exercise(record.question, record.answer, "synthetic", 1, judge))
    return Remembered(tuple(found))

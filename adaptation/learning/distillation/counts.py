"""Counts of guards: what was lost of what was known, what was gained, and how much chance makes.

Which replies are right is partly chance where a model is weak: of those that happened to be right
another model as good loses many, and has as many others right. So what is gained of a family is
held against what is lost of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

CHANCE = 1.64
"""Standard deviations of a difference of two counts that chance may make (one-sided, 95 %)."""

RARELY = 0.05
"""How often chance alone may speak against a candidate."""


@dataclass(frozen=True)
class Counts:
    """What was lost of what was known, and how many others were gained."""

    lost: int
    known: int
    gained: int

    def are_kept(self, share: float, *, always: int = 1) -> bool:
        """Whether no more was lost beyond gains than `share`, or than `always` and chance.

        A share and chance are not added up: both allow for the same flips.
        """
        chance = CHANCE * math.sqrt(2 * self.gained)
        return self.lost - self.gained <= max(share * self.known, always + chance)

    def of(self, family: str) -> str:
        """Return them in words."""
        gained = f" ({self.gained} others gained)" if self.gained else ""
        return f"{self.lost} of {self.known} {family}{gained}"


def counted(
    families: Mapping[str, tuple[int, int]], gained: Mapping[str, int]
) -> dict[str, Counts]:
    """Return the counts of each family, by how many it lost and had, and how many it gained."""
    return {
        family: Counts(lost, known, gained.get(family, 0))
        for family, (lost, known) in families.items()
    }


def together(families: Iterable[Counts]) -> Counts:
    """Return what all come to: what one family gains makes up for nothing that another loses."""
    found = list(families)
    return Counts(
        lost=sum(each.lost for each in found),
        known=sum(each.known for each in found),
        gained=sum(min(each.lost, each.gained) for each in found),
    )


def all_kept(families: Iterable[Counts], share: float) -> bool:
    """Whether no more was lost than may be, of all and of each family."""
    found = list(families)
    return all(each.are_kept(share) for each in (together(found), *found))


def is_most(count: int, of: int) -> bool:
    """Whether `count` are more than half, by more than chance: an exact, one-sided sign test."""
    return sum(math.comb(of, each) for each in range(count, of + 1)) * 0.5**of <= RARELY

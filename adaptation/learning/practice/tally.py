"""How practice went, by family; what whoever goes on with it needs."""

from __future__ import annotations

from collections.abc import Sequence

from adaptation.learning.practice.solving import Attempted
from memory.types import Frozen, Source

IN_VAIN = 5
"""Rounds of a family that pose nothing new, after which it is left alone."""


class Tally(Frozen):
    """How one family went."""

    family: str
    source: Source
    posed: int = 0
    """Exercises that were tried."""
    refused: int = 0
    """That the model wrote and whose answer nothing computes."""
    known: int = 0
    """That memory holds."""
    too_easy: int = 0
    unsolved: int = 0
    """Exercises of which no try was right."""
    kept: int = 0
    """That became records."""
    levels: tuple[int, ...] = ()
    """Level of each round."""
    pass_rates: tuple[float, ...] = ()
    """Share of right tries in each round."""
    place: float | None = None
    """Where its controller stands."""
    vain: int = 0
    """Rounds since the last that posed something."""

    @property
    def is_open(self) -> bool:
        """Whether another round may bring something."""
        return self.vain < IN_VAIN

    def after(self, level: int, tried: Sequence[Attempted], *, refused: int, known: int) -> Tally:
        """Return how it went with one more round."""
        rates = [each.pass_rate for each in tried]
        mean = (sum(rates) / len(rates),) if rates else ()
        return Tally(
            family=self.family,
            source=self.source,
            posed=self.posed + len(tried),
            refused=self.refused + refused,
            known=self.known + known,
            too_easy=self.too_easy + sum(bool(e.right) and not e.teaches for e in tried),
            unsolved=self.unsolved + sum(not each.right for each in tried),
            kept=self.kept + sum(each.teaches for each in tried),
            levels=(*self.levels, level),
            pass_rates=(*self.pass_rates, *mean),
            vain=0 if tried else self.vain + 1,
        )

"""Holds the difficulty where the model is right about half of the time.

There a verdict says most, and learning has most to gain: R-Zero rewards questions by how near the
solver's agreement is to ½ (arXiv 2508.05004), Absolute Zero by 1 − the rate of success, and nothing
where it is 0 or 1 (arXiv 2505.03335). The level follows by stochastic approximation (Robbins and
Monro 1951): θ ← θ + g (p − ½), p being the share of right replies to a round at level ⌊θ + ½⌋.
"""

from __future__ import annotations

from dataclasses import dataclass

TARGET = 0.5
GAIN = 2.0
"""Levels by which a round that is all right, or all wrong, moves on, times two."""


def start(levels: range, raised: int = 0) -> float:
    """Return where a family begins: in the middle of its levels, or so many above."""
    return min((levels[0] + levels[-1]) / 2 + raised, float(levels[-1]))


@dataclass
class Controller:
    """The difficulty of one family."""

    levels: range
    place: float | None = None
    """θ, in levels; None begins in the middle."""

    def __post_init__(self) -> None:
        if self.place is None:
            self.place = start(self.levels)

    @property
    def level(self) -> int:
        """Return the level of the next round."""
        assert self.place is not None
        return min(max(int(self.place + 0.5), self.levels[0]), self.levels[-1])

    def learn(self, pass_rate: float) -> None:
        """Move on by how a round went."""
        assert self.place is not None
        moved = self.place + GAIN * (pass_rate - TARGET)
        self.place = min(max(moved, self.levels[0] - 0.5), self.levels[-1] + 0.49)

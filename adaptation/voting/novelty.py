"""How much of a sample's reasoning no earlier sample of the same vote had.

Samples that repeat each other's steps are one opinion, however many they are: the share of new
steps says how far a vote is spread.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from adaptation.types import Sample
from memory.text import folded

_BORDERS = re.compile(r"\n+|(?<=[.!?;])\s+")
"""Between two steps: an end of a sentence, or of a line."""


def steps_of(text: str) -> list[str]:
    """Return the steps of a rationale, as they are compared: letter case and space aside."""
    return [step for part in _BORDERS.split(text) if (step := folded(part))]


class Novelty:
    """Weighs each sample of one vote by its share of new steps, in the order they come."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._known: dict[int, float] = {}

    def __call__(self, sample: Sample) -> float:
        """Return the share, from 0 to 1; of a sample without any step, 0."""
        if sample.index not in self._known:
            steps = steps_of(sample.text)
            new = sum(step not in self._seen for step in steps)
            self._seen.update(steps)
            self._known[sample.index] = new / len(steps) if steps else 0.0
        return self._known[sample.index]


def mean_novelty(samples: Iterable[Sample]) -> float | None:
    """Return the mean share of new steps of all samples but the first; None where there is one."""
    novelty = Novelty()
    _, *shares = [novelty(sample) for sample in sorted(samples, key=lambda each: each.index)] or [0]
    return sum(shares) / len(shares) if shares else None

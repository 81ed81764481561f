"""Which records ask for the same: by the words of their questions, numbers being all alike.

It is the form of a question that tells who knows about it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from memory.text import folded

NEAR = 8
"""Records that tell whether a witness is to be believed."""
ALIKE = 0.5
"""Least share of words that two questions have in common which ask for the same."""

MOST_ALIKE = 64


@dataclass(frozen=True)
class Near:
    """The records near one record, by place, the most similar first."""

    places: tuple[int, ...]
    """The `NEAR` most like it, however little that is."""
    alike: tuple[int, ...]
    """Records that ask for the same, `MOST_ALIKE` at most."""


def nearest(questions: Sequence[str]) -> list[Near]:
    """Return for each question which others are near."""
    words = [frozenset(re.sub(r"\d+", "#", folded(question)).split()) for question in questions]
    return [_near(words, place) for place in range(len(words))]


def _near(words: Sequence[frozenset[str]], place: int) -> Near:
    found = {
        other: _likeness(words[place], words[other])
        for other in range(len(words))
        if other != place
    }
    ranked = sorted(found, key=lambda other: -found[other])  # stable: of equal ones, by place
    alike = tuple(other for other in ranked[:MOST_ALIKE] if found[other] >= ALIKE)
    return Near(tuple(ranked[:NEAR]), alike)


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard's index."""
    return len(one & other) / max(1, len(one | other))

"""Which exercises memory does not hold yet: by embedding, and by their numbers.

Embeddings hardly tell `What is 3 + 4?` from `What is 3 + 5?`; so what is near is known only where
its numbers are the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from adaptation.learning.practice.exercise import Exercise

ALIKE = 0.95
"""Cosine from which two questions say the same."""
Embed = Callable[[Sequence[str]], np.ndarray]
"""n texts → unit vectors, float32, shape (n, d)."""
Nearest = Callable[[str, np.ndarray], Sequence[tuple[str, float]]]
"""(question, its vector of shape (d,)) → questions in memory with their cosine."""


def novel(exercises: Sequence[Exercise], embed: Embed, nearest: Nearest) -> list[Exercise]:
    """Return those that neither memory nor an earlier one holds."""
    if not exercises:
        return []
    vectors = embed([exercise.question for exercise in exercises])  # (n, d)
    kept: list[int] = []
    for place, exercise in enumerate(exercises):
        near = list(nearest(exercise.question, vectors[place]))
        near += [
            (exercises[other].question, float(vectors[other] @ vectors[place])) for other in kept
        ]
        if not any(_is_same(exercise.question, *each) for each in near):
            kept.append(place)
    return [exercises[place] for place in kept]


def _is_same(question: str, other: str, cosine: float) -> bool:
    return question == other or (cosine >= ALIKE and _numbers(question) == _numbers(other))


def _numbers(text: str) -> list[str]:
    return re.findall(r"\d+", text)

"""The form of a question: its words without its numbers, and how near two forms are."""

from __future__ import annotations

import re
from collections.abc import Iterable

from memory.text import folded

Form = frozenset[str]
_WORD = re.compile(r"[^\W\d_]+|[-+*/=<>%]")
_NUMBER = re.compile(r"(?<![\w.])\d{1,9}(?![\w.]*\d)")
NUMBER = "#"


def form_of(question: str) -> Form:
    """Return the words and signs of a question, and `#` where it has numbers."""
    words = frozenset(_WORD.findall(folded(question)))
    return words | {NUMBER} if _NUMBER.search(question) else words


def numbers_in(question: str) -> list[int]:
    """Return the whole numbers of a question, in order."""
    return [int(number) for number in _NUMBER.findall(question)]


def nearness(form: Form, others: Iterable[Form]) -> float:
    """Return the largest overlap with one of the others: |A ∩ B| / |A ∪ B|."""
    overlaps = (len(form & other) / len(form | other) for other in others if form | other)
    return max(overlaps, default=0.0)

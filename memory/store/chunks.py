"""Long lists, cut to what a statement takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
CHUNK = 500
"""Bound values in one statement: far below what any database takes."""


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the items, at most `CHUNK` at a time."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]

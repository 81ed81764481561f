"""The seam to vector search, and what a sealed index is made of as plain arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

Block = tuple[np.ndarray, np.ndarray]
"""Ids, int64 (n,), and their vectors, float32 (n, d): views that hold until the next change."""


@dataclass(frozen=True)
class Lists:
    """How vectors are divided among the cells of an inverted file."""

    centroids: np.ndarray
    """float32, shape (cells, d)"""
    sizes: np.ndarray
    """How many vectors each cell has, int64, shape (cells,): they lie in the order of the cells."""
    probes: int
    """Cells that a search looks into."""


class VectorIndex(Protocol):
    """Unit vectors under integer ids; thread-safe."""

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Hold `vectors`, float32 (n, d), under `ids`, int64 (n,); a known id is replaced."""

    def remove(self, ids: Iterable[int]) -> None:
        """Forget `ids`; unknown ones are ignored."""

    def search(self, vector: np.ndarray, k: int) -> list[tuple[int, float]]:
        """Return up to `k` (id, inner product) pairs for a vector (d,), best first."""

    def vectors(self, ids: Sequence[int]) -> Block:
        """Return the vectors of those of these ids that are held, a copy."""

    def count(self) -> int:
        """Return how many vectors are held."""

    def blocks(self) -> Iterator[Block]:
        """Yield all that is held, without a copy; nothing may change it meanwhile."""

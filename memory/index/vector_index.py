"""The seam to vector search; one implementation, in `memory.index.faiss_index`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np


class VectorIndex(Protocol):
    """Unit vectors under integer ids; thread-safe."""

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Hold `vectors`, float32 (n, d), under `ids`, int64 (n,); a known id is replaced."""

    def remove(self, ids: Iterable[int]) -> None:
        """Forget `ids`; unknown ones are ignored."""

    def search(self, vector: np.ndarray, k: int) -> list[tuple[int, float]]:
        """Return up to `k` (id, inner product) pairs for a vector (d,), best first."""

    def count(self) -> int:
        """Return how many vectors are held."""

    def ids(self) -> set[int]:
        """Return the ids held."""

    def contents(self) -> tuple[np.ndarray, np.ndarray]:
        """Return copies of all ids, int64 (n,), and their vectors, float32 (n, d)."""

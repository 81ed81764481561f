"""Finding a question's neighbours: candidates by vector and by rare words, each read again.

Owns how candidates are fused and widened. Whether a record may be shown is the database's word
(`VectorStore.hydrate`), and so is its similarity.
"""

from __future__ import annotations

import numpy as np

from memory.fusion import fused
from memory.index.cache import IndexCache
from memory.index.vectors import VectorStore
from memory.types import Neighbour

WIDEN = 4
"""How much further a recall looks when the guard or the task left too few neighbours."""
MAX_WORDED = 32
"""Records looked at for their words alone: the best of them come first."""


class Recall:
    """The neighbours of a question among a tenant's records."""

    def __init__(self, vectors: VectorStore, indexes: IndexCache, *, by_words: bool) -> None:
        self._vectors = vectors
        self._indexes = indexes
        self._by_words = by_words

    def near(
        self, tenant: str, vector: np.ndarray, k: int, task: str | None, question: str | None
    ) -> list[Neighbour]:
        """Return up to `k` active records by the unit vector, shape (d,), and by the question.

        Two rankings are fused to choose them; similarity orders what was chosen, so that the first
        is the nearest of them and a threshold means what it says.
        """
        found = self._by_vector(tenant, vector, k, task)
        if not (self._by_words and question):
            return list(found.values())
        of = self._indexes.count(tenant)
        numbers = self._vectors.with_words(tenant, question, most=min(k, MAX_WORDED), of=of)
        new = [number for number in numbers if number not in found]
        known = found | self._vectors.hydrate(tenant, task, vector, new)
        chosen = fused([list(found), [number for number in numbers if number in known]])[:k]
        return sorted((known[n] for n in chosen), key=lambda neighbour: -neighbour.similarity)

    def _by_vector(
        self, tenant: str, vector: np.ndarray, k: int, task: str | None
    ) -> dict[int, Neighbour]:
        width = k
        while True:
            hits = self._indexes.search(tenant, vector, width)
            found = self._vectors.hydrate(tenant, task, vector, [number for number, _ in hits])
            if len(found) >= k or len(hits) < width:
                return dict(list(found.items())[:k])
            width *= WIDEN

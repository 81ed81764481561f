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

        Two rankings are fused to choose them, and no more are read than are chosen. Similarity
        orders those, so that the first is the nearest of them and a threshold means what it says.
        """
        width, known, looked_at = k, dict[int, Neighbour](), set[int]()
        hits = self._by_vector(tenant, vector, width)
        worded = self._worded(tenant, question, k) if question and self._by_words else []
        while True:
            ranked = fused([hits, worded]) if worded else hits
            waiting = [number for number in ranked if number not in looked_at]
            while waiting and len(known) < k:
                some, waiting = waiting[:k], waiting[k:]
                known |= self._vectors.hydrate(tenant, task, vector, some)
                looked_at.update(some)
            if len(known) >= k or len(hits) < width:
                break
            width *= WIDEN
            hits = self._by_vector(tenant, vector, width)
        chosen = [known[number] for number in ranked if number in known][:k]
        return sorted(chosen, key=lambda neighbour: -neighbour.similarity)

    def _by_vector(self, tenant: str, vector: np.ndarray, width: int) -> list[int]:
        return [number for number, _ in self._indexes.search(tenant, vector, width)]

    def _worded(self, tenant: str, question: str, k: int) -> list[int]:
        most, of = min(k, MAX_WORDED), self._indexes.count(tenant)
        return self._vectors.with_words(tenant, question, most=most, of=of)

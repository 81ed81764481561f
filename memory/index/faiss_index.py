"""Inner-product search with FAISS, exact and by inverted lists; the only module that imports it.

Flat, because at 50,000 vectors of 384 dimensions it answers in 3 ms on one core and removes in
7 ms; HNSW cannot remove at all. FAISS's own files are never read: loading a damaged one corrupts
memory, so `memory.index.snapshots` stores plain arrays instead.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import faiss
import numpy as np

from memory.index.vector_index import Block, Lists

ROUNDS = 5
"""Rounds of k-means: more of them move the centroids little."""
SAMPLE = 40
"""Vectors that each centroid is found from; FAISS asks for 39."""


class FaissIndex:
    """Searches may run at once, but none beside a change: one lock serves both."""

    def __init__(self, dim: int) -> None:
        self._dim = dim
        self._flat = faiss.IndexFlatIP(dim)
        self._index = faiss.IndexIDMap2(self._flat)
        self._ids: set[int] = set()
        self._lock = threading.RLock()

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Hold `vectors`, float32 (n, d), under `ids`, int64 (n,); a known id is replaced."""
        if vectors.shape != (len(ids), self._dim):
            raise ValueError(f"expected {len(ids)} vectors of {self._dim}, got {vectors.shape}")
        with self._lock:
            self.remove(ids.tolist())
            if len(ids):
                rows = np.ascontiguousarray(vectors, dtype=np.float32)
                self._index.add_with_ids(rows, np.ascontiguousarray(ids, dtype=np.int64))
                self._ids.update(ids.tolist())

    def remove(self, ids: Iterable[int]) -> None:
        """Forget `ids`; unknown ones are ignored."""
        with self._lock:
            known = self._ids.intersection(ids)
            if known:
                chosen = np.array(sorted(known), dtype=np.int64)
                self._index.remove_ids(faiss.IDSelectorBatch(chosen))
                self._ids -= known

    def search(self, vector: np.ndarray, k: int) -> list[tuple[int, float]]:
        """Return up to `k` (id, inner product) pairs for a vector (d,), best first."""
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, self._dim)
        with self._lock:
            k = min(k, len(self._ids))
            if k <= 0:
                return []
            # Set per call: OpenMP keeps the number per thread, and two threads were slower.
            faiss.omp_set_num_threads(1)
            scores, ids = self._index.search(query, k)
        return _pairs(scores[0], ids[0])

    def vectors(self, ids: Sequence[int]) -> Block:
        """Return the vectors of those of these ids that are held, a copy."""
        with self._lock:
            known = np.array([each for each in ids if each in self._ids], dtype=np.int64)
            if not len(known):
                return known, np.empty((0, self._dim), np.float32)
            return known, _rows(self._index, known)

    def count(self) -> int:
        """Return how many vectors are held."""
        return len(self._ids)

    def holding(self, ids: Iterable[int]) -> set[int]:
        """Return which of these ids it holds."""
        with self._lock:
            return self._ids.intersection(ids)

    def blocks(self) -> Iterator[Block]:
        """Yield all that is held, without a copy; nothing may change it meanwhile."""
        n = int(self._index.ntotal)
        if n:
            ids = faiss.rev_swig_ptr(self._index.id_map.data(), n)
            yield ids, faiss.rev_swig_ptr(self._flat.get_xb(), n * self._dim).reshape(n, self._dim)


class InvertedLists:
    """An inverted file (IVF-Flat) that never changes once it is filled: searches need no lock."""

    def __init__(self, dim: int, centroids: np.ndarray, probes: int = 1) -> None:
        self._dim = dim
        self._quantizer = faiss.IndexFlatIP(dim)
        self._quantizer.add(np.ascontiguousarray(centroids, dtype=np.float32))
        self._centroids = centroids
        self.cells = len(centroids)
        self.probes = probes
        self._index = faiss.IndexIVFFlat(
            self._quantizer, dim, self.cells, faiss.METRIC_INNER_PRODUCT
        )
        self._index.is_trained = True
        self._held: Any = self._index.invlists

    def fill(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Add vectors, each to the cell of its nearest centroid."""
        faiss.omp_set_num_threads(1)
        rows = np.ascontiguousarray(vectors, dtype=np.float32)
        self._index.add_with_ids(rows, np.ascontiguousarray(ids, dtype=np.int64))

    def fill_cell(self, cell: int, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Add vectors whose cell is known already."""
        if len(ids):
            codes = np.ascontiguousarray(vectors, dtype=np.float32).view(np.uint8)
            held = np.ascontiguousarray(ids, dtype=np.int64)
            self._held.add_entries(cell, len(held), faiss.swig_ptr(held), faiss.swig_ptr(codes))
            self._index.ntotal += len(held)

    def note_places(self) -> None:
        """Remember where each id lies, once all are held: `vectors` needs it."""
        by_id = faiss.DirectMap.Hashtable  # type: ignore[attr-defined]  # not in its own stub
        self._index.set_direct_map_type(by_id)

    def vectors(self, ids: np.ndarray) -> np.ndarray:
        """Return the vectors of ids, int64 (n,), all of them held; float32 (n, d), a copy."""
        return _rows(self._index, ids)

    def search(self, vector: np.ndarray, k: int, probes: int) -> list[tuple[int, float]]:
        """Return up to `k` (id, inner product) pairs of the `probes` nearest cells, best first."""
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, self._dim)
        k = min(k, self.count())
        if k <= 0:
            return []
        faiss.omp_set_num_threads(1)
        chosen = faiss.SearchParametersIVF()
        chosen.nprobe = min(probes, self.cells)
        scores, ids = self._index.search(query, k, params=chosen)
        return _pairs(scores[0], ids[0])

    def count(self) -> int:
        """Return how many vectors are held."""
        return int(self._index.ntotal)

    def lists(self) -> Lists:
        """Return what the division is made of, beside the vectors themselves."""
        sizes = [self._held.list_size(cell) for cell in range(self.cells)]
        return Lists(self._centroids, np.array(sizes, dtype=np.int64), self.probes)

    def cell(self, number: int) -> Block:
        """Return what a cell holds, without a copy."""
        n = self._held.list_size(number)
        if n == 0:
            return np.empty(0, np.int64), np.empty((0, self._dim), np.float32)
        codes = faiss.rev_swig_ptr(self._held.get_codes(number), n * self._dim * 4)
        ids = faiss.rev_swig_ptr(self._held.get_ids(number), n)
        return ids, codes.view(np.float32).reshape(n, self._dim)


def centroids_of(sample: np.ndarray, cells: int, begin: np.ndarray | None) -> np.ndarray:
    """Return unit centroids, float32 (cells, d), one round of spherical k-means after `begin`."""
    faiss.omp_set_num_threads(1)
    means = faiss.Kmeans(
        sample.shape[1], cells, niter=1, spherical=True, seed=0, min_points_per_centroid=1
    )
    means.train(np.ascontiguousarray(sample, dtype=np.float32), init_centroids=begin)
    return np.asarray(means.centroids).reshape(cells, sample.shape[1])


def _rows(index: Any, ids: np.ndarray) -> np.ndarray:
    rows: np.ndarray = index.reconstruct_batch(ids)
    return rows


def _pairs(scores: np.ndarray, ids: np.ndarray) -> list[tuple[int, float]]:
    return [(i, s) for i, s in zip(ids.tolist(), scores.tolist(), strict=True) if i >= 0]

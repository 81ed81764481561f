"""An index that is built once and never changes: an inverted file (IVF-Flat) and its ids.

Lists by Sivic and Zisserman, "Video Google" (ICCV 2003); cells by spherical k-means. How many
cells a search looks into is found by measuring, on vectors that the cells were not made from.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from threading import Event

import numpy as np

from memory.index.faiss_index import ROUNDS, SAMPLE, InvertedLists, centroids_of
from memory.index.vector_index import Block, Lists

CELLS = 2.0
"""Cells for n vectors, by √n. With 4 a search takes as long and the building four times as long."""
RECALL = 0.99
"""Least share of the exact neighbours that is found for the vectors held out."""
MARGIN = 2
"""Times as many cells are looked into: questions to come lie less well than vectors that are held,
and it costs a tenth of a millisecond."""
NEIGHBOURS = 128
"""For which that is measured, and as many as a server's request asks for."""
HELD_OUT = 64
FILL = 8_192
"""Vectors that are assigned between two looks at whether to go on."""


class StoppedError(Exception):
    """The building was called off."""


class SealedIndex:
    """Searches need no lock."""

    def __init__(self, lists: InvertedLists) -> None:
        self._lists = lists
        cells = [lists.cell(cell)[0] for cell in range(lists.cells)]
        self._ids = np.sort(np.concatenate(cells)) if cells else np.empty(0, np.int64)
        lists.note_places()

    def holding(self, ids: Sequence[int]) -> set[int]:
        """Return which of these ids it holds."""
        asked = np.array(ids, dtype=np.int64)
        return set(asked[among(asked, self._ids)].tolist())

    def vectors(self, ids: Sequence[int]) -> Block:
        """Return the vectors of those of these ids that are held, a copy."""
        asked = np.array(ids, dtype=np.int64)
        known = asked[among(asked, self._ids)]
        return known, self._lists.vectors(known)

    def search(self, vector: np.ndarray, k: int) -> list[tuple[int, float]]:
        """Return `k` (id, inner product) pairs, or all there are, best first.

        It looks into more cells for more neighbours, and into all of them where it must.
        """
        probes = self._lists.probes * math.ceil(k / NEIGHBOURS)
        while True:
            found = self._lists.search(vector, k, probes)
            if len(found) >= min(k, self.count()) or probes >= self._lists.cells:
                return found
            probes *= 2

    def count(self) -> int:
        """Return how many vectors are held."""
        return len(self._ids)

    def lists(self) -> Lists:
        """Return how its vectors are divided."""
        return self._lists.lists()

    def blocks(self) -> Iterator[Block]:
        """Yield what each cell holds, without a copy, empty ones included."""
        return (self._lists.cell(cell) for cell in range(self._lists.cells))


def restored(lists: Lists, ids: np.ndarray, vectors: np.ndarray) -> SealedIndex:
    """Return the index whose parts these are: nothing is trained and nothing is assigned."""
    filled = InvertedLists(vectors.shape[1], lists.centroids, lists.probes)
    ends = np.cumsum(lists.sizes)
    for cell, (begin, end) in enumerate(zip(ends - lists.sizes, ends, strict=True)):
        filled.fill_cell(cell, ids[begin:end], vectors[begin:end])
    return SealedIndex(filled)


def sealed_from(blocks: Sequence[Block], stop: Event) -> SealedIndex:
    """Train, fill and measure an index of all that the blocks hold; `StoppedError` if told to."""
    total = sum(len(ids) for ids, _ in blocks)
    aside = min(HELD_OUT, total // 2)
    cells = min(int(CELLS * math.sqrt(total)), total - aside)
    picks = np.random.default_rng(0).permutation(total)[: aside + SAMPLE * cells]
    sample = _rows(blocks, picks)
    held_out = sample[:aside]
    centroids = _trained(sample[aside:], cells, stop)
    filled = InvertedLists(sample.shape[1], centroids)
    for ids, vectors in blocks:
        for start in range(0, len(ids), FILL):
            _go_on(stop)
            filled.fill(ids[start : start + FILL], vectors[start : start + FILL])
    filled.probes = _probes(filled, held_out, stop)
    return SealedIndex(filled)


def merged(base: SealedIndex, dead: np.ndarray, added: Block, stop: Event) -> SealedIndex:
    """Return what the base holds without the dead and with the added, in the cells it has."""
    lists = base.lists()
    filled = InvertedLists(lists.centroids.shape[1], lists.centroids, lists.probes)
    for cell, block in enumerate(base.blocks()):
        _go_on(stop)
        filled.fill_cell(cell, *without(block, dead))
    filled.fill(*added)
    return SealedIndex(filled)


def without(block: Block, dead: np.ndarray) -> Block:
    """Return a block without the dead ids, int64, sorted; itself where it has none."""
    ids, vectors = block
    gone = among(ids, dead)
    return (ids[~gone], vectors[~gone]) if gone.any() else block


def among(asked: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return which of the ids `asked` are `known`, int64 and sorted; bool, shape (n,)."""
    if not len(known):
        return np.zeros(len(asked), dtype=bool)
    places = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    found: np.ndarray = known[places] == asked
    return found


def _trained(sample: np.ndarray, cells: int, stop: Event) -> np.ndarray:
    centroids = None
    for _ in range(ROUNDS):
        _go_on(stop)
        centroids = centroids_of(sample, cells, centroids)
    assert centroids is not None
    return centroids


def _rows(blocks: Sequence[Block], picks: np.ndarray) -> np.ndarray:
    """Return the vectors at these places of all blocks together, in the order of `picks`."""
    ends = np.cumsum([len(ids) for ids, _ in blocks])
    rows = np.empty((len(picks), blocks[0][1].shape[1]), np.float32)
    owners = np.searchsorted(ends, picks, side="right")
    for owner in np.unique(owners):
        mine = owners == owner
        ids, vectors = blocks[owner]
        rows[mine] = vectors[picks[mine] - (ends[owner] - len(ids))]
    return rows


def _probes(filled: InvertedLists, held_out: np.ndarray, stop: Event) -> int:
    """Return `MARGIN` × the fewest cells in which `RECALL` of the neighbours are found."""
    k = min(NEIGHBOURS + 1, filled.count())  # with itself, which is always found
    truth = []
    for query in held_out:
        _go_on(stop)
        truth.append({number for number, _ in filled.search(query, k, filled.cells)})
    probes = 1
    while probes < filled.cells:
        found = [{n for n, _ in filled.search(query, k, probes)} for query in held_out]
        hits = sum(len(a & b) - 1 for a, b in zip(truth, found, strict=True))
        if hits >= RECALL * (k - 1) * len(held_out):
            break
        probes *= 2
    return min(MARGIN * probes, filled.cells)


def _go_on(stop: Event) -> None:
    if stop.is_set():
        raise StoppedError

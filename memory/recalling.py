"""Finding a question's neighbours: candidates by vector and by rare words, each read again.

Owns how candidates are fused and widened. Whether a record may be shown is the database's word
(`memory.search_reads`). Its similarity is that of the vector that the index holds, which is as the
database has it: the index is of the very event that is the newest there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from memory.fusion import fused
from memory.index.cache import IndexCache
from memory.index.layered import LayeredIndex
from memory.search_reads import SearchReads
from memory.store.database import Database
from memory.types import Neighbour

WIDEN = 4
"""How much further a recall looks when the guard or the task left too few neighbours."""
MAX_WORDED = 32
"""Records looked at for their words alone: the best of them come first."""


class Recall:
    """The neighbours of a question among a tenant's records."""

    def __init__(self, database: Database, indexes: IndexCache, *, by_words: bool) -> None:
        self._database = database
        self._indexes = indexes
        self._by_words = by_words

    def near(
        self, tenant: str, vector: np.ndarray, k: int, task: str | None, question: str | None
    ) -> list[Neighbour]:
        """Return up to `k` active records by the unit vector, shape (d,), and by the question.

        One transaction serves a search whose index is up to date, as it mostly is. To bring it up
        to date may write, and so takes place between two.
        """
        asked = question if self._by_words else None
        with self._database.reading(tenant) as connection:
            reads = SearchReads(connection, tenant, task)
            index = self._indexes.ready(tenant, *reads.newest_event())
            if index is not None:
                return _near(reads, index, vector, k, asked)
        index = self._indexes.up_to_date(tenant)
        with self._database.reading(tenant) as connection:
            return _near(SearchReads(connection, tenant, task), index, vector, k, asked)


def _near(
    reads: SearchReads, index: LayeredIndex, vector: np.ndarray, k: int, question: str | None
) -> list[Neighbour]:
    """Fuse two rankings to choose records, and read no more of them than are chosen.

    Similarity orders those, so that the first is the nearest of them and a threshold means what it
    says.
    """
    width, known, looked_at = k, dict[int, Neighbour](), set[int]()
    hits = _by_vector(index, vector, width)
    worded = _worded(reads, index, question, k) if question else []
    while True:
        ranked = fused([hits, worded]) if worded else hits
        waiting = [number for number in ranked if number not in looked_at]
        while waiting and len(known) < k:
            some, waiting = waiting[:k], waiting[k:]
            known |= _read(reads, index, vector, some)
            looked_at.update(some)
        if len(known) >= k or len(hits) < width:
            break
        width *= WIDEN
        hits = _by_vector(index, vector, width)
    chosen = [known[number] for number in ranked if number in known][:k]
    return sorted(chosen, key=lambda neighbour: -neighbour.similarity)


def _by_vector(index: LayeredIndex, vector: np.ndarray, width: int) -> list[int]:
    return [number for number, _ in index.search(vector, width)]


def _worded(reads: SearchReads, index: LayeredIndex, question: str, k: int) -> list[int]:
    return reads.with_words(question, most=min(k, MAX_WORDED), of=index.count())


def _read(
    reads: SearchReads, index: LayeredIndex, vector: np.ndarray, numbers: Sequence[int]
) -> dict[int, Neighbour]:
    """Return the neighbours among these numbers that may be shown."""
    records = reads.records(numbers)
    held, rows = index.vectors(list(records))
    similarities = np.vecdot(rows, vector).tolist()  # each as it would be alone, to the last bit
    return {
        number: Neighbour(records[number], similarity, row)
        for number, similarity, row in zip(held.tolist(), similarities, rows, strict=True)
    }

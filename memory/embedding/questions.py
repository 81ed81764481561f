"""Questions as vectors, by which they are found again: computed, or as they are stored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from memory.embedding.embedder import Embedder
from memory.embedding.embedding_queue import Embedded, embedded
from memory.errors import UnreadableError
from memory.types import Draft, Record, question_of
from memory.versions.learned import LearnedQuestions

MAX_UNKNOWN = 0.25
"""Of a question's tokens. A question of Chinese signs has a third and more with all-MiniLM-L6-v2,
one in any European language none."""


class Questions:
    """The questions of drafts, records and requests, to one embedder."""

    def __init__(self, embedder: Embedder, learned: LearnedQuestions) -> None:
        self._embedder, self._learned = embedder, learned

    def vectors(self, asked: Sequence[Draft | Record]) -> np.ndarray:
        """Return the unit vectors of questions, computed: float32, shape (n, d)."""
        return self._embedder.embed([question_of(each.messages) for each in asked])

    def vector_of(self, question: str) -> np.ndarray:
        """Return a question's unit vector, float32, shape (d,), to find neighbours by.

        Raises `UnreadableError`.
        """
        (found,) = embedded(self._embedder, [question])
        return self.readable(found)

    def readable(self, question: Embedded) -> np.ndarray:
        """Return the vector to find a question's neighbours by.

        Raises `UnreadableError`: words that an embedder does not know all have one vector, and
        would be neighbours of each other.
        """
        share = question.unknown_share
        if share > MAX_UNKNOWN:
            raise UnreadableError(
                f"the embedder does not know {share:.0%} of the question's words: it has no "
                "neighbours (another `embedder` may read its language)"
            )
        return question.vector

    def of_records(self, records: Sequence[Record]) -> np.ndarray:
        """Return the unit vectors of records' questions, float32, shape (n, d).

        Those that are not stored are computed.
        """
        found: dict[str, bytes] = {}
        for tenant in {each.tenant for each in records}:
            mine = [each.id for each in records if each.tenant == tenant]
            found |= self._learned.stored(tenant, mine)
        lacking = [each for each in records if each.id not in found]
        made = dict(zip((each.id for each in lacking), self.vectors(lacking), strict=True))
        rows = [
            made[each.id] if each.id in made else np.frombuffer(found[each.id], dtype="<f4")
            for each in records
        ]
        return np.array(rows, dtype=np.float32).reshape(-1, self._embedder.dim)

"""What adapter versions learned from, as the vectors of its questions.

Owns how many of them are read. Knows nothing of what they are compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, and_, select

from memory.store.chunks import chunks
from memory.store.database import Database
from memory.store.schema import adapter, embedding, lineage, record

MOST = 2_048
"""Questions read of one version, spread over all of them: 3 MB of 384 dimensions."""


@dataclass(frozen=True)
class Learned:
    """The questions that a version learned from."""

    total: int
    """Records of its lineage, those included of which there is no vector."""
    ids: tuple[str, ...]
    """Records that have a vector of the present embedder, n of them."""
    vectors: np.ndarray
    """Theirs, of unit length, float32, shape (n, d)."""


class LearnedQuestions:
    """Reads the lineage and the vectors of one embedder."""

    def __init__(self, database: Database, embedder_id: str, dim: int, most: int = MOST) -> None:
        self._database, self._embedder_id, self._dim = database, embedder_id, dim
        self._most = most

    def of(self, tenant: str, version: str) -> Learned:
        """Return what one of the tenant's versions learned from, whatever state it is in now.

        A foreign or unknown version has learned from nothing.
        """
        mine = and_(adapter.c.id == lineage.c.adapter_id, adapter.c.tenant == tenant)
        query = select(lineage.c.record_id).join(adapter, mine)
        query = query.where(lineage.c.adapter_id == version).order_by(lineage.c.record_id)
        with self._database.reading(tenant) as connection:
            ids = list(connection.execute(query).scalars())
            some = ids[:: max(1, -(-len(ids) // self._most))]
            found = self._vectors(connection, tenant, some)
        vectors = np.frombuffer(b"".join(found.values()), dtype="<f4").reshape(-1, self._dim)
        return Learned(len(ids), tuple(found), vectors)

    def stored(self, tenant: str, ids: Sequence[str]) -> dict[str, bytes]:
        """Return by record the vectors there are of a tenant's questions: float32, d numbers."""
        with self._database.reading(tenant) as connection:
            return self._vectors(connection, tenant, ids)

    def _vectors(self, connection: Connection, tenant: str, ids: Sequence[str]) -> dict[str, bytes]:
        mine = and_(record.c.id == embedding.c.record_id, record.c.tenant == tenant)
        known = select(embedding.c.record_id, embedding.c.vector).join(record, mine)
        known = known.where(embedding.c.embedder_id == self._embedder_id)
        rows = (
            row
            for some in chunks(ids)
            for row in connection.execute(known.where(embedding.c.record_id.in_(some)))
        )
        return {row.record_id: row.vector for row in rows}

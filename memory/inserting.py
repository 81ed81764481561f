"""New records, many by one statement: alone, each of six statements costs more than its row.

Owns the inserts. Knows nothing of what a newcomer does to others: see `memory.settle`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from sqlalchemy import Connection, and_, select

from memory.events import append_events
from memory.store.bulk import insert_many
from memory.store.chunks import chunks
from memory.store.full_text import add_words
from memory.store.schema import embedding, record


def unasked(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the places of the rows that are first to ask their question, here and in the store."""
    first: dict[tuple[str, str], int] = {}
    for place, row in enumerate(rows):
        first.setdefault((row["tenant"], row["question_hash"]), place)
    by_tenant = sorted(first)
    for tenant, keys in groupby(by_tenant, key=itemgetter(0)):
        for some in chunks([hashed for _, hashed in keys]):
            here = and_(record.c.tenant == tenant, record.c.question_hash.in_(some))
            for hashed in connection.execute(select(record.c.question_hash).where(here)).scalars():
                first.pop((tenant, hashed), None)
    return sorted(first.values())


def insert_records(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert complete rows of the table of records, with the event and the words of each."""
    if not rows:
        return
    insert_many(connection, record, rows)
    for tenant, own in groupby(sorted(rows, key=itemgetter("tenant")), key=itemgetter("tenant")):
        made = [(row["id"], {"state": row["state"]}) for row in own]
        append_events(connection, tenant, "created", made)
    add_words(connection, rows)


def store_vectors(
    connection: Connection, embedder_id: str, vectors: Iterable[tuple[str, np.ndarray]]
) -> None:
    """Store (record id, unit vector of shape (d,)) as one embedder sees them; the first stays."""
    rows = [
        {
            "record_id": record_id,
            "embedder_id": embedder_id,
            "vector": np.ascontiguousarray(vector, dtype="<f4").tobytes(),
        }
        for record_id, vector in vectors
    ]
    insert_many(connection, embedding, rows, keep_known=True)

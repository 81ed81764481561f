"""The stored vectors of one embedder: what a tenant's index must hold, now or since a moment.

Each answer comes from one read transaction, so it is consistent with the event number it carries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, and_, select

from memory.events import changed_records, event_mark, newest_event
from memory.inserting import store_vectors
from memory.store.chunks import chunks
from memory.store.database import Database
from memory.store.schema import embedding, event, record
from memory.types import State

PAGE = 4_096
"""Vectors read at a time: 6 MB of 384 dimensions."""


@dataclass(frozen=True)
class Changes:
    """What turns an older index into the tenant's index at event `seq`."""

    seq: int
    mark: str | None
    """Names event `seq` itself, so that a restored backup is noticed."""
    numbers: np.ndarray
    """Record numbers to hold, int64, shape (n,)."""
    vectors: np.ndarray
    """Their unit vectors, float32, shape (n, d)."""
    gone: tuple[int, ...] = ()
    """Record numbers that must not be found any more."""
    missing: tuple[int, ...] = ()
    """Numbers of active records this embedder has not seen yet."""


class VectorStore:
    """Reads and fills the embedding table for one embedder."""

    def __init__(self, database: Database, embedder_id: str, dim: int) -> None:
        self._database = database
        self._embedder_id = embedder_id
        self._dim = dim

    def newest(self, tenant: str) -> tuple[int, str | None]:
        """Return the number of the tenant's newest event, and its mark."""
        with self._database.reading(tenant) as connection:
            return newest_event(connection, tenant)

    def mark(self, tenant: str, seq: int) -> str | None:
        """Name event `seq`; None where the database has no such event."""
        with self._database.reading(tenant) as connection:
            return event_mark(connection, tenant, seq)

    def pages(self, tenant: str) -> Iterator[Changes]:
        """Yield the vectors of all active records, page by page: no transaction stays open between.

        What changes meanwhile is in `since` the first page's `seq`.
        """
        last = 0
        active = self._select(tenant).where(record.c.state == State.ACTIVE)
        while True:
            page = active.where(record.c.number > last).limit(PAGE)
            with self._database.reading(tenant) as connection:
                rows = connection.execute(page).all()
                changes = self._changes(connection, tenant, rows)
            yield changes
            if len(rows) < PAGE:
                return
            last = rows[-1].number

    def erased_since(self, tenant: str, seq: int) -> bool:
        """Whether a record was erased after event `seq`."""
        later = and_(event.c.tenant == tenant, event.c.seq > seq, event.c.kind == "erased")
        with self._database.reading(tenant) as connection:
            return connection.execute(select(event.c.seq).where(later)).first() is not None

    def since(self, tenant: str, seq: int) -> Changes:
        """Return what events after `seq` changed."""
        with self._database.reading(tenant) as connection:
            changed = changed_records(connection, tenant, seq)
            rows: list[Any] = []
            for some_ids in chunks(changed):
                some = record.c.id.in_(some_ids)
                rows += connection.execute(self._select(tenant).where(some)).all()
            return self._changes(connection, tenant, rows)

    def of(self, tenant: str, numbers: Sequence[int]) -> Changes:
        """Return what an index must hold of these records, at most `CHUNK`, as they are now."""
        query = self._select(tenant).where(record.c.number.in_(numbers))
        with self._database.reading(tenant) as connection:
            return self._changes(connection, tenant, connection.execute(query).all())

    def questions(self, tenant: str, numbers: Sequence[int]) -> list[tuple[str, str]]:
        """Return (record id, question) of those of these records that are active."""
        mine = and_(record.c.tenant == tenant, record.c.state == State.ACTIVE)
        query = select(record.c.id, record.c.question).where(mine, record.c.number.in_(numbers))
        with self._database.reading(tenant) as connection:
            return [(row.id, row.question) for row in connection.execute(query)]

    def store(self, tenant: str, vectors: Iterable[tuple[str, np.ndarray]]) -> None:
        """Store (record id, vector) pairs in one commit; records erased meanwhile are skipped."""
        pairs = dict(vectors)
        with self._database.writing(tenant) as connection:
            alive = and_(
                record.c.tenant == tenant,
                record.c.id.in_(list(pairs)),
                record.c.state != State.ERASED,
            )
            kept = connection.execute(select(record.c.id).where(alive)).scalars().all()
            store_vectors(connection, self._embedder_id, [(name, pairs[name]) for name in kept])

    def _select(self, tenant: str) -> Any:
        columns = (record.c.number, record.c.state)
        query = select(*columns, embedding.c.vector).outerjoin(embedding, self._of_record())
        return query.where(record.c.tenant == tenant).order_by(record.c.number)

    def _of_record(self) -> Any:
        return and_(
            embedding.c.record_id == record.c.id, embedding.c.embedder_id == self._embedder_id
        )

    def _changes(self, connection: Connection, tenant: str, rows: Sequence[Any]) -> Changes:
        active = [row for row in rows if row.state == State.ACTIVE]
        held = [row for row in active if row.vector is not None]
        data = b"".join(row.vector for row in held)
        seq, mark = newest_event(connection, tenant)
        return Changes(
            seq=seq,
            mark=mark,
            numbers=np.array([row.number for row in held], dtype=np.int64),
            vectors=np.frombuffer(data, dtype="<f4").reshape(-1, self._dim),
            gone=tuple(row.number for row in rows if row.state != State.ACTIVE),
            missing=tuple(row.number for row in active if row.vector is None),
        )

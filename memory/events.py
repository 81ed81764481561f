"""The append-only log of what changed, one numbered sequence per tenant.

The number is taken from the tenant's head row inside the writing transaction. The row's lock is
held until the commit, so numbers become visible in order and a reader that asks for "everything
after seq" skips nothing. A database sequence, handed out before the commit, would skip rows.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, func, select, update

from memory.store.bulk import insert_many
from memory.store.dialects import inserting
from memory.store.prepared import Prepared
from memory.store.schema import event, head

_NEWEST = Prepared(
    select(head.c.seq, event.c.record_id, event.c.at)
    .outerjoin(event, (event.c.tenant == head.c.tenant) & (event.c.seq == head.c.seq))
    .where(head.c.tenant == bindparam("tenant"))
)


def append_event(
    connection: Connection, tenant: str, kind: str, record_id: str, **payload: str
) -> int:
    """Append one event and return its number; `payload` never holds content."""
    return append_events(connection, tenant, kind, [(record_id, payload)])


def append_events(
    connection: Connection, tenant: str, kind: str, told: Sequence[tuple[str, Mapping[str, str]]]
) -> int:
    """Append an event for each (record id, payload) and return the last one's number."""
    bump = inserting(connection, head).values(tenant=tenant, seq=len(told))
    bump = bump.on_conflict_do_update(
        index_elements=["tenant"], set_={"seq": head.c.seq + bump.excluded.seq}
    )
    seq = int(connection.execute(bump.returning(head.c.seq)).scalar_one())
    shared = {"tenant": tenant, "kind": kind, "at": time.time()}
    rows = [
        {**shared, "seq": number, "record_id": record_id, "payload": payload}
        for number, (record_id, payload) in enumerate(told, seq - len(told) + 1)
    ]
    insert_many(connection, event, rows)
    return seq


def drop_reasons(connection: Connection, tenant: str, record_id: str) -> None:
    """Take out of a record's events what people gave as reasons: it may tell what was erased."""
    its_own = (event.c.tenant == tenant) & (event.c.record_id == record_id)
    connection.execute(update(event).where(its_own).values(payload={}))


def head_seq(connection: Connection, tenant: str) -> int:
    """Return the number of the tenant's newest event, 0 before the first."""
    return newest_event(connection, tenant)[0]


def newest_event(connection: Connection, tenant: str) -> tuple[int, str | None]:
    """Return the number of the tenant's newest event, and its mark: see `event_mark`."""
    for seq, record_id, at in _NEWEST.rows(connection, tenant=tenant):
        return int(seq), _mark(record_id, at)
    return 0, None


def event_mark(connection: Connection, tenant: str, seq: int) -> str | None:
    """Return what tells event `seq` from the event of that number in a restored backup."""
    here = (event.c.tenant == tenant) & (event.c.seq == seq)
    row = connection.execute(select(event.c.record_id, event.c.at).where(here)).first()
    return None if row is None else _mark(row.record_id, row.at)


def _mark(record_id: str | None, at: float | None) -> str | None:
    return None if record_id is None else f"{record_id}@{at!r}"


def changed_records(connection: Connection, tenant: str, after: int) -> list[str]:
    """Return the ids of the records that events after `after` speak of."""
    tail = (event.c.tenant == tenant) & (event.c.seq > after)
    return list(connection.execute(select(func.distinct(event.c.record_id)).where(tail)).scalars())

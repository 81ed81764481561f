"""What was erased: when, in whose name, and what went with it.

Owns the table of erasures. A row is written before anything is erased, so that an erasure that a
kill interrupts is known and can be finished, and it never holds content: a digest under a key that
lies elsewhere, counts and ids.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, and_, insert, select, update

from memory.errors import NotFoundError
from memory.store.database import Database
from memory.store.schema import erasure
from memory.store.scope import EVERYONE
from memory.types import Frozen, Record

Erasures: TypeAlias = "list[Erasure]"


@dataclass(frozen=True)
class Witness:
    """In whose name a record is erased, and what is kept of what it said."""

    by: str
    """The id of a key, or what did it."""
    seal: Callable[[str], str]
    """Content → its digest under a secret, so that nobody can guess the one from the other."""
    retires: bool = True
    """Whether what learned from the record is retired."""


class Erasure(Frozen):
    """The erasure of one record; times are Unix seconds."""

    tenant: str
    record_id: str
    digest: str | None
    by: str | None
    removed: Mapping[str, Any]
    """What went: counts, and ids."""
    begun_at: float
    retires: bool = True
    """Whether what learned from it is retired as well."""
    ended_at: float | None = None
    """None while something is still to be done."""


class ErasureStore:
    """The erasures of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, tenant: str, record_id: str) -> Erasure:
        """Return the erasure of a tenant's record; raises `NotFoundError`."""
        with self._database.reading(tenant) as connection:
            row = connection.execute(select(erasure).where(_is(tenant, record_id))).first()
        if row is None:
            raise NotFoundError(f"no erasure of {record_id}")
        return _erasure(row)

    def unfinished(self) -> Erasures:
        """Return those of all tenants of which something is left to be done, the oldest first."""
        return self._where(erasure.c.ended_at.is_(None))

    def since(self, moment: float) -> Erasures:
        """Return those of all tenants that ended at a moment (Unix seconds) or later."""
        return self._where(erasure.c.ended_at >= moment)

    def begin(self, tenant: str, record: Record, witness: Witness | None) -> None:
        """Note that a record is about to be erased; one that has begun goes on."""
        with self._database.writing(tenant) as connection:
            found = connection.execute(select(erasure).where(_is(tenant, record.id))).first()
            if found is not None:
                if witness is not None:
                    again = update(erasure).where(_is(tenant, record.id))
                    connection.execute(again.values(retires=witness.retires))
                return
            sealed = witness is not None and bool(record.question or record.answer)
            row: dict[str, Any] = {
                "tenant": tenant,
                "record_id": record.id,
                "digest": witness.seal(content_of(record)) if witness and sealed else None,
                "by": witness.by if witness else None,
                "retires": witness is None or witness.retires,
                "removed": {},
                "begun_at": time.time(),
            }
            connection.execute(insert(erasure).values(**row))

    def note(self, tenant: str, record_id: str, **removed: Any) -> None:
        """Add to what went with a record."""
        with self._database.writing(tenant) as connection:
            note_removed(connection, tenant, record_id, removed)

    def end(self, tenant: str, record_id: str) -> Erasure:
        """Note that nothing is left to be done, unless that stands there already."""
        with self._database.writing(tenant) as connection:
            open_one = and_(_is(tenant, record_id), erasure.c.ended_at.is_(None))
            connection.execute(update(erasure).where(open_one).values(ended_at=time.time()))
        return self.get(tenant, record_id)

    def _where(self, which: Any) -> Erasures:
        query = select(erasure).where(which).order_by(erasure.c.begun_at)
        with self._database.reading(EVERYONE) as connection:
            return [_erasure(row) for row in connection.execute(query)]


def content_of(record: Record) -> str:
    """Return what a record's digest is of: its content as JSON, in one form."""
    fields = record.model_dump(
        mode="json", include={"task", "messages", "request", "answer", "rationale"}
    )
    return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def note_removed(
    connection: Connection, tenant: str, record_id: str, removed: Mapping[str, Any]
) -> None:
    """Add to what went with a record, within a transaction of others."""
    here = _is(tenant, record_id)
    found = connection.execute(select(erasure.c.removed).where(here)).scalar()
    if found is None:  # erased by what keeps no account
        return
    merged = dict(found)
    for name, value in removed.items():
        merged[name] = _joined(merged.get(name), value)
    connection.execute(update(erasure).where(here).values(removed=merged))


def _joined(known: Any, new: Any) -> Any:
    """Counts add up, by name where they have names; names are joined."""
    if known is None:
        return new if not isinstance(new, tuple | set | frozenset) else sorted(new)
    if isinstance(new, Mapping):
        return {**known, **{name: known.get(name, 0) + count for name, count in new.items()}}
    if isinstance(new, int):
        return known + new
    return sorted({*known, *new})


def _is(tenant: str, record_id: str) -> Any:
    return and_(erasure.c.tenant == tenant, erasure.c.record_id == record_id)


def _erasure(row: Row[Any]) -> Erasure:
    return Erasure.model_validate(dict(row._mapping))

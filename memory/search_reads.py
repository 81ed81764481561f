"""What one search reads from the database, all of it in one transaction.

Owns the guard of isolation and deletion: a record is read here before it is shown, and only an
active one of the tenant (and of the task) comes back. An index that is stale or wrong can lose a
neighbour, never show a foreign or an erased one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Text, bindparam, cast, select

from memory.events import newest_event
from memory.rows import JSON_FIELDS, RECORD_FIELDS, records_as_read
from memory.store.dialects import among, listed
from memory.store.full_text import with_rare_words
from memory.store.prepared import Prepared
from memory.store.schema import record
from memory.types import Record, State


class SearchReads:
    """One tenant's records, all of them or those of a task, as of one moment."""

    def __init__(self, connection: Connection, tenant: str, task: str | None) -> None:
        self._connection = connection
        self._tenant = tenant
        self._task = task

    def newest_event(self) -> tuple[int, str | None]:
        """Return the number of the tenant's newest event, and its mark."""
        return newest_event(self._connection, self._tenant)

    def with_words(self, question: str, *, most: int, of: int) -> list[int]:
        """Return numbers of the tenant's records that share rare words with the question."""
        return with_rare_words(self._connection, self._tenant, question, most=most, of=of)

    def records(self, numbers: Sequence[int]) -> dict[int, Record]:
        """Return those of these records that may be shown, by their number."""
        given = {"tenant": self._tenant, "numbers": listed(self._connection, numbers)}
        if self._task is None:
            rows = _OF_ANY_TASK.rows(self._connection, **given)
        else:
            rows = _OF_TASK.rows(self._connection, task=self._task, **given)
        records = records_as_read([row[1:] for row in rows])
        return {row[0]: each for row, each in zip(rows, records, strict=True)}


def _as_read(column: Column[Any]) -> ColumnElement[Any]:
    """JSON as text: a driver may read it, and most says nothing."""
    return cast(column, Text) if column.name in JSON_FIELDS else column


_SHOWN = select(record.c.number, *(_as_read(record.c[name]) for name in RECORD_FIELDS)).where(
    among(record.c.number, bindparam("numbers")),
    # No index on tenants helps where the numbers are known: as an expression it has none.
    record.c.tenant.concat("") == bindparam("tenant"),
    record.c.state == State.ACTIVE,
)
_OF_ANY_TASK = Prepared(_SHOWN)
_OF_TASK = Prepared(_SHOWN.where(record.c.task == bindparam("task")))

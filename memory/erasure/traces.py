"""Where a text lies in the database's tables, whatever its form.

A search of the file alone would miss what SQLite splits between two pages, and one of the values
alone what goes on in the next part of a client's file. It reads a few rows at a time, so that no
transaction stays open for long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Column, LargeBinary, String, Table, Text, cast, select, tuple_

from memory.store.database import Database
from memory.store.schema import embedding, file_part, metadata
from memory.store.scope import EVERYONE

AT_ONCE = 200
"""Rows in one transaction; a part of a file has up to a megabyte."""


@dataclass(frozen=True)
class Trace:
    """A row that holds what was looked for."""

    table: str
    row: str
    """Its primary key, and its id where that is another."""
    column: str


def traces_of(database: Database, needles: Sequence[bytes]) -> Iterator[Trace]:
    """Yield every place in the tables, of all tenants, that holds one of the needles."""
    for table in metadata.sorted_tables:
        if table is not embedding:  # vectors are no text
            yield from _in_table(database, table, needles)


def _in_table(database: Database, table: Table, needles: Sequence[bytes]) -> Iterator[Trace]:
    keys = list(table.primary_key.columns)
    texts = [column for column in table.columns if _may_hold(column.type)]
    shown = [cast(c, Text).label(c.name) if isinstance(c.type, JSON) else c for c in texts]
    longest = max(2, *map(len, needles))
    ids = [column for column in table.columns if column.name == "id"]
    known = [column.label(f"key_{n}") for n, column in enumerate([*keys, *ids])]
    query = select(*known, *shown).order_by(*keys).limit(AT_ONCE)
    after: tuple[Any, ...] | None = None
    before: Any = None
    while True:
        here = query if after is None else query.where(tuple_(*keys) > tuple_(*after))
        with database.reading(EVERYONE) as connection:
            rows = connection.execute(here).all()
        for row in rows:
            is_next = table is file_part and before is not None and before[0] == row[0]
            for column in texts:
                value = _bytes(row, column)
                if is_next and column is file_part.c.content:
                    value = _bytes(before, column)[1 - longest :] + value
                if any(needle in value for needle in needles):
                    name = "/".join(dict.fromkeys(str(each) for each in row[: len(known)]))
                    yield Trace(table.name, name, column.name)
            before = row
        if len(rows) < AT_ONCE:
            return
        after = tuple(rows[-1][: len(keys)])


def _may_hold(kind: Any) -> bool:
    return isinstance(kind, String | JSON | LargeBinary)


def _bytes(row: Any, column: Column[Any]) -> bytes:
    value = row._mapping[column.name]
    if value is None:
        return b""
    return value.encode() if isinstance(value, str) else bytes(value)

"""Many rows by one prepared statement, handed to the driver as they are.

SQLAlchemy makes the parameters of each row anew, which takes longer than the database does with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import JSON, Connection, Table

from memory.store.dialects import placeholder


def insert_many(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    keep_known: bool = False,
) -> None:
    """Insert rows, all with the columns of the first, in their order.

    `keep_known` passes over a row whose key is there already.
    """
    if not rows:
        return
    names = list(rows[0])
    quoted = connection.dialect.identifier_preparer.quote
    columns, marks = (
        ", ".join(map(quoted, names)),
        ", ".join([placeholder(connection)] * len(names)),
    )
    known = " ON CONFLICT DO NOTHING" if keep_known else ""
    statement = f"INSERT INTO {quoted(table.name)} ({columns}) VALUES ({marks}){known}"
    connection.exec_driver_sql(statement, list(_values(table, names, rows)))


def _values(
    table: Table, names: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Any, ...]]:
    """Yield the values of each row as a driver takes them: JSON is text in every dialect."""
    encoded = [place for place, name in enumerate(names) if isinstance(table.c[name].type, JSON)]
    take = itemgetter(*names)
    for row in rows:
        values = list(take(row))
        for place in encoded:
            values[place] = json.dumps(values[place])
        yield tuple(values)

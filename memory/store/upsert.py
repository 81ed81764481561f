"""Writing a row in place of the one under its keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table

from memory.store.dialects import inserting


def upsert(
    connection: Connection, table: Table, keys: Sequence[str], row: Mapping[str, Any]
) -> None:
    """Insert a row, or overwrite all other columns of the one that has its keys."""
    values = {name: row[name] for name in row if name not in keys}
    statement = inserting(connection, table).values(**row)
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values))

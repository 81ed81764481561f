"""Writing rows in place of those under their keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table

from memory.store.dialects import inserting


def upsert(
    connection: Connection, table: Table, keys: Sequence[str], *rows: Mapping[str, Any]
) -> None:
    """Insert rows, each with the same columns, or overwrite all others of the one with its keys.

    All in one statement, which costs a fifteenth of a statement for each.
    """
    if not rows:
        return
    statement = inserting(connection, table)
    new = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    statement = statement.on_conflict_do_update(index_elements=keys, set_=new)
    connection.execute(statement, list(rows))

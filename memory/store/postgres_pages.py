"""The pages of PostgreSQL's tables, and what is left there of rows that were deleted.

`VACUUM` takes deleted rows out of the pages; their bytes stay where a page has room until it is
used again. `VACUUM FULL` writes a table anew and leaves nothing, but nobody reads or writes the
table meanwhile: so it is done to tables of a size that takes a moment.
"""

from __future__ import annotations

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from memory.store.postgres_errors import LOCKED, state_of
from memory.store.schema import metadata

REWRITTEN_BYTES = 64 * 2**20
"""A table of at most so much, its indexes included, is written anew in about a second."""
WAIT = "500ms"
"""How long others may be kept waiting behind a lock that somebody's long reading delays."""


def wipe(connection: Connection, *, anew: bool = False) -> None:
    """Take deleted rows out of the pages of all tables, by a connection that commits by itself.

    `anew` leaves nothing of them in tables that are small enough and that nobody reads now.
    """
    names = [f'"{table.name}"' for table in metadata.sorted_tables]
    left = [name for name in names if not (anew and _written_anew(connection, name))]
    if left:
        connection.exec_driver_sql(f"VACUUM {', '.join(left)}")


def _is_small(connection: Connection, name: str) -> bool:
    size = connection.exec_driver_sql(f"SELECT pg_total_relation_size('{name}')")
    return int(size.scalar_one()) <= REWRITTEN_BYTES


def _written_anew(connection: Connection, name: str) -> bool:
    """Return whether the table is small enough, and nobody kept it locked for long."""
    if not _is_small(connection, name):
        return False
    connection.exec_driver_sql(f"SET lock_timeout = '{WAIT}'")
    try:
        connection.exec_driver_sql(f"VACUUM (FULL) {name}")
    except DBAPIError as error:
        if state_of(error) != LOCKED:
            raise
        return False
    finally:
        connection.exec_driver_sql("RESET lock_timeout")
    return True

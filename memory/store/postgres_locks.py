"""Who may do what at a time in one PostgreSQL database, on whatever machine: advisory locks.

Writers of one tenant take turns, whoever writes for everyone has the database alone. A row to lock
would have to be there first, and to be written by transactions that change nothing of it; these
locks are there before any row, and PostgreSQL drops them with the transaction or the connection.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from memory.errors import StorageBusyError

OURS: Final = int.from_bytes(b"Whet")
"""The first of a lock's two numbers, so that others may have locks of their own."""
WRITERS: Final = 1
USE: Final = 2
OF_TENANTS: Final = OURS + 1
OF_JOBS: Final = OURS + 2

ALL_WRITERS = f"pg_advisory_xact_lock({OURS}, {WRITERS})"
SOME_WRITERS = (
    f"pg_advisory_xact_lock_shared({OURS}, {WRITERS}), "
    f"(SELECT count(pg_advisory_xact_lock({OF_TENANTS}, key)::text) "
    "FROM unnest(CAST(:keys AS int[])) AS key)"
)
"""Selected, it waits for the locks of the tenants whose `keys` are given."""


def keys_of(tenants: Sequence[str]) -> list[int]:
    """Return the numbers of tenants' locks, in the order in which everybody takes them."""
    digests = (hashlib.sha256(tenant.encode(errors="replace")).digest() for tenant in tenants)
    return sorted({int.from_bytes(digest[:4], signed=True) for digest in digests})


class DatabaseUse:
    """The use of a database beside others, on a connection of its own, from `take` to `release`."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._name = name
        self._connection: Connection | None = None

    def take(self) -> None:
        """Use the database; `StorageBusyError` where one has it alone."""
        self.release()
        self._connection = self._engine.connect()
        self._connection.detach()  # not one of the pool's: it is held while the database is open
        if not _got(self._connection, "pg_try_advisory_lock_shared"):
            self.release()
            raise StorageBusyError(f"{self._name} is being restored: wait for that to end")

    def release(self) -> None:
        """Use it no more."""
        if self._connection is not None:
            with suppress(DBAPIError), closing(self._connection) as connection:
                # A connection that is closed is gone a moment later only.
                connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")
            self._connection = None


def users_of(connection: Connection) -> int:
    """Return how many processes use the database that a connection is to."""
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 "
    held += f"AND classid = {OURS} AND objid = {USE} AND database = "
    held += "(SELECT oid FROM pg_database WHERE datname = current_database())"
    return int(connection.exec_driver_sql(held).scalar_one())


@contextmanager
def sole_use_of(connection: Connection, name: str) -> Iterator[None]:
    """Have a database alone while the connection is open; `StorageBusyError` where one uses it."""
    if not _got(connection, "pg_try_advisory_lock"):
        raise StorageBusyError(
            f"{name} is in use: stop every server and whet command that uses it, then try again"
        )
    try:
        yield
    finally:
        connection.exec_driver_sql(f"SELECT pg_advisory_unlock({OURS}, {USE})")


@contextmanager
def sole_job(engine: Engine, job: str) -> Iterator[None]:
    """Have a job alone, on a connection of its own; `StorageBusyError` where another has it."""
    plain = engine.execution_options(isolation_level="AUTOCOMMIT")
    (key,) = keys_of([job])
    with plain.connect() as connection:
        connection.detach()
        got = connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({OF_JOBS}, {key})").scalar()
        if not got:
            raise StorageBusyError(f"another process does this already: {job}: wait for its end")
        yield


def _got(connection: Connection, function: str) -> bool:
    return bool(connection.exec_driver_sql(f"SELECT {function}({OURS}, {USE})").scalar())

"""The seam to where everything is kept: a SQLite file by default, PostgreSQL by a URL.

Above it one code serves both; what a dialect spells otherwise is in `memory.store.dialects`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from memory.store.database_copy import Advance
from memory.store.postgres import PostgresDatabase
from memory.store.scope import Scope
from memory.store.sqlite import SqliteDatabase


class Database(Protocol):
    """An open database; safe to share between threads.

    Where the storage fails, all of it raises `StorageUnavailableError`.
    """

    is_shared: bool
    """Whether servers of several machines may work on it."""

    def reading(self, of: Scope) -> AbstractContextManager[Connection]:
        """Yield a connection inside one read transaction: every query sees the same moment."""

    def writing(self, of: Scope) -> AbstractContextManager[Connection]:
        """Yield a connection that commits, durably, when the block ends well.

        Nobody else writes rows of these tenants meanwhile, in whatever process: what is read in the
        block stays true until the commit.
        """

    def counting(self, of: Scope) -> AbstractContextManager[Connection]:
        """Yield a connection that commits when the block ends well, beside whoever writes.

        For counts: rows are locked one by one, and what was committed last may be lost where the
        database's machine fails.
        """

    def users(self) -> int:
        """Return how many processes have it open, this one included."""

    def probe(self) -> None:
        """Commit something small, to learn whether a write would succeed now."""

    def empty_log(self, *, anew: bool = False) -> None:
        """Wipe what still holds the content of rows that were erased, as far as can be done.

        `anew` does so more thoroughly, and may keep others waiting for a moment. What somebody
        reads meanwhile may stay: `StorageBusyError` where that is known.
        """

    def drop_copies(self, before: float | None = None) -> tuple[str, ...]:
        """Delete the copies from before migrations, or those of them made before a Unix time.

        Return the names of those that are gone.
        """

    def size_bytes(self) -> int:
        """Return how much room what is kept takes."""

    def copy_to(self, target: Path, advance: Advance | None = None) -> None:
        """Copy all that was committed before this call to a new SQLite file; raises `OSError`."""

    def alone(self, job: str) -> AbstractContextManager[None]:
        """Have a job alone, such as the distillation of a tenant, for the length of a block.

        Raises `StorageBusyError` where another process has it.
        """

    def close(self) -> None:
        """Let go of it."""


def open_database(data_dir: Path, url: str | None = None) -> Database:
    """Open and migrate the database at `url`, without one the file `whet.db` in `data_dir`.

    Makes what is missing; copies of an older schema go to `data_dir`. Raises
    `StorageUnavailableError` where it cannot be used or a newer Whet made it.
    """
    if url is None:
        return SqliteDatabase.open(data_dir)
    return PostgresDatabase.open(url, data_dir)

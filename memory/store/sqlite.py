"""A database that is a SQLite file: opened, migrated, and of one kind of error when it fails.

Owns connections, transactions and the translation of storage errors. Knows no table by name.

Several processes write here (a server and the command line), so every write transaction begins
IMMEDIATE: it holds SQLite's writer lock from its first statement, and a read inside it cannot go
stale before the write that follows.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError, IntegrityError, ProgrammingError

from memory.errors import StorageBusyError, StorageUnavailableError
from memory.store.data_folder import make_data_folder
from memory.store.database_copy import Advance, copy_database
from memory.store.database_file import Stamp, file_at, stamp_of
from memory.store.folder_use import SharedUse, sole_job
from memory.store.migrating import known_version, migrate
from memory.store.migration_copies import drop_copies, drop_old_copies, keep_copy
from memory.store.schema import SCHEMA_VERSION
from memory.store.scope import EVERYONE, Scope

log = logging.getLogger(__name__)

FILE_NAME = "whet.db"
BUSY_TIMEOUT_MS = 15_000
PAGES_KIB = 8 * 1024
"""Pages that a connection keeps: with SQLite's own 2 MB a search reads the same ones again."""
WAL_SAFE_SINCE = (3, 51, 3)
"""Older SQLite can lose a WAL reset that races with another writer, and with it committed rows."""

DAMAGED = "is damaged: move it away and restore a backup"
_REMEDIES = (
    ("disk is full", "is on a full disk: free some space, saving resumes by itself"),
    ("readonly", "is read-only: make it writable or choose another folder with --data-dir"),
    ("unable to open", "cannot be opened: check the folder and its permissions"),
    ("malformed", DAMAGED),
    ("no such table", "was emptied: it is made anew, restore a backup in its place"),
    ("not a database", "is not a database: move it away and restore a backup"),
    ("locked", "is locked by another process: wait for it to finish or stop it"),
)


class SqliteDatabase:
    """One open SQLite file; safe to share between threads.

    Of whose rows a transaction is, a file does not know: its queries say it.
    """

    is_shared = False

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self._engine = engine
        # SQLite polls for its lock; threads of one process queue here instead, in fair order.
        self._writer = threading.RLock()
        self._folder = file_at(path.parent)
        self._use = SharedUse(path.parent)
        self._stamp: Stamp | None = None
        """The file that the connections are of, as the last commit left it."""
        self._is_doubtful = True
        """An error came since: look again before anything else."""

    @classmethod
    def open(cls, data_dir: Path) -> SqliteDatabase:
        """Open and migrate `<data_dir>/whet.db`, creating both where missing.

        Raises `StorageUnavailableError` when the file cannot be used or a newer Whet made it.
        """
        path = data_dir / FILE_NAME
        with _translated(path):
            make_data_folder(data_dir)
            engine = _engine(path)
            database = cls(path, engine)
            try:
                drop_old_copies(path)
                database._reopen()
            except BaseException:
                database.close()
                raise
        return database

    @contextmanager
    def reading(self, of: Scope) -> Iterator[Connection]:
        """Yield a connection inside one read transaction: every query sees the same moment."""
        with self._reviewed():
            if self._is_doubtful or self._stamp is None or file_at(self.path) != self._stamp.file:
                with self._writer:
                    self._reopen()
            with self._engine.begin() as connection:
                yield connection

    @contextmanager
    def writing(self, of: Scope) -> Iterator[Connection]:
        """Yield the only writing connection; commit, durably, when the block ends well.

        What was committed to a file that is no longer the one at the path is not acknowledged.
        """
        engine = self._engine.execution_options(begin="IMMEDIATE")
        with self._writer, self._reviewed():
            if self._is_doubtful or stamp_of(self.path) != self._stamp:
                self._reopen()
            before = self._stamp
            try:
                with engine.begin() as connection:
                    yield connection
            finally:
                # What was rolled back has touched the file as well.
                self._stamp = stamp_of(self.path) or before
            if before is None or file_at(self.path) != before.file:
                raise StorageUnavailableError(
                    f"{self.path} was replaced while it was written: nothing of this is kept"
                )

    counting = writing  # a file has one writer at a time

    def users(self) -> int:
        """Return that this process has it open: others on the machine are not counted."""
        return 1

    @contextmanager
    def _reviewed(self) -> Iterator[None]:
        """Translate errors; after one that waiting does not mend, connect anew and look again."""
        try:
            with _translated(self.path):
                yield
        except StorageBusyError:
            raise
        except StorageUnavailableError:
            # A connection opened on a read-only disk stays read-only, whatever becomes of the disk.
            self._engine.dispose()
            self._is_doubtful = True
            raise

    def _reopen(self) -> None:
        """Connect to the file that is at the path now, and migrate it where needed."""
        before, found = self._stamp, stamp_of(self.path)
        if before is not None:
            self._engine.dispose()
            if found is None:
                self._replace()
            elif found.file != before.file:
                log.error("%s was replaced by another file: what it holds is the memory", self.path)
            elif before.is_overwritten_as(found) and _journal() != "WAL":
                self._check()
        self._use.take()
        self._migrate()
        self._stamp, self._is_doubtful = stamp_of(self.path), False

    def _replace(self) -> None:
        """Let a deleted file be made anew, unless its folder is gone as well, as a disk may be."""
        if file_at(self.path.parent) != self._folder:
            raise StorageUnavailableError(
                f"{self.path} is gone with its folder: mount it again, or restart the server"
            )
        log.error("%s was deleted: the memory is empty, restore a backup in its place", self.path)

    def _check(self) -> None:
        """Refuse a file that something else has written to and left damaged."""
        with self._engine.begin() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        if found != "ok":
            raise StorageUnavailableError(f"{self.path} {DAMAGED}")

    def probe(self) -> None:
        """Commit something small, to learn whether a write would succeed now."""
        with self.writing(EVERYONE) as connection:
            counter = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
            connection.exec_driver_sql(f"PRAGMA user_version={(counter + 1) % 2**30}")

    def empty_log(self, *, anew: bool = False) -> None:
        """Empty the write-ahead log, where there is one: it may still hold what was erased.

        Raises `StorageBusyError` where somebody reads on, who needs it.
        """
        with self._writer, _translated(self.path), closing(self._engine.raw_connection()) as mine:
            is_busy, *_ = mine.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            raise StorageBusyError(
                f"the log of {self.path} may hold what was erased, and somebody reads it: "
                "wait for that to end, and forget the record again"
            )

    def drop_copies(self, before: float | None = None) -> tuple[str, ...]:
        """Delete copies from before migrations; return the names of those that are gone."""
        return drop_copies(self.path, before)

    def size_bytes(self) -> int:
        """Return how much room what is kept takes."""
        return self.path.stat().st_size

    def copy_to(self, target: Path, advance: Advance | None = None) -> None:
        """Copy all that was committed before this call to a new SQLite file; raises `OSError`."""
        try:
            copy_database(self.path, target, advance)
        except sqlite3.Error as error:
            raise StorageUnavailableError(advice(self.path, error)) from error

    def alone(self, job: str) -> AbstractContextManager[None]:
        """Have a job alone on this machine; `StorageBusyError` where another process has it."""
        return sole_job(self.path.parent, job)

    def close(self) -> None:
        """Close every idle connection."""
        self._engine.dispose()
        self._use.release()

    def _migrate(self) -> None:
        with self._engine.begin() as connection:
            if self._version(connection) == SCHEMA_VERSION:
                return
        # IMMEDIATE serialises two processes that open a folder at once, and lets the copy be read
        # meanwhile; the second finds the work done, because both look again under the lock.
        engine = self._engine.execution_options(begin="IMMEDIATE")
        with self._writer, engine.begin() as connection:
            version = self._version(connection)
            if version not in (None, SCHEMA_VERSION):
                keep_copy(self.path, version, partial(copy_database, self.path))
            migrate(connection)

    def _version(self, connection: Connection) -> str | None:
        return known_version(connection, str(self.path), "folder with --data-dir")


def _engine(path: Path) -> Engine:
    # More connections than a default thread pool has workers: a reader never waits for a slot.
    engine = create_engine(
        f"sqlite:///{path}",
        pool_size=8,
        max_overflow=56,
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
        hide_parameters=True,  # an error that is logged quotes no content
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: DBAPIConnection, _: object) -> None:
    # Transactions are begun by `_begin`: sqlite3's own would begin DEFERRED and too late.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.execute(f"PRAGMA journal_mode={_journal()}")
    cursor.execute("PRAGMA synchronous=FULL")  # a power cut loses nothing acknowledged
    cursor.execute("PRAGMA secure_delete=ON")  # erased content is overwritten, not just unlinked
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA cache_size=-{PAGES_KIB}")
    cursor.close()


def _journal() -> str:
    return "WAL" if sqlite3.sqlite_version_info >= WAL_SAFE_SINCE else "TRUNCATE"


def _begin(connection: Connection) -> None:
    mode = connection.get_execution_options().get("begin", "DEFERRED")
    # By the driver itself: SQLAlchemy takes longer about a statement than a search has for it.
    connection.connection.cursor().execute(f"BEGIN {mode}")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into one line that says what to do."""
    try:
        yield
    except (IntegrityError, ProgrammingError):
        raise  # a defect of ours, not of the storage
    except (DatabaseError, sqlite3.DatabaseError, OSError) as error:
        kind = StorageBusyError if "locked" in str(error) else StorageUnavailableError
        raise kind(advice(path, error)) from error


def advice(path: Path, error: Exception) -> str:
    """Say in one line what SQLite's error means for the file, and what to do."""
    first = _first_of(error)
    cause = str(getattr(first, "orig", first))
    for symptom, remedy in _REMEDIES:
        if symptom in cause:
            return f"{path} {remedy}"
    return f"{path} cannot be used ({cause}): run `whet doctor`"


def _first_of(error: BaseException) -> BaseException:
    """Return what went wrong first: a savepoint that cannot be undone tells nothing of why."""
    while "no such savepoint" in str(error) and error.__context__ is not None:
        error = error.__context__
    return error

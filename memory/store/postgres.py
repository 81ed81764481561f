"""A PostgreSQL database: opened, migrated by one, shared by many, guarded by its own policies.

Owns connections and transactions. A transaction begins with one statement that takes the role that
does not own the tables, says whose rows it is about and, to write, takes the locks of these
tenants. Reading is REPEATABLE READ: every query sees the same moment. Writing is READ COMMITTED
behind the locks: what is read after them is what was committed before them, so rules that read and
then write hold between processes, and no transaction has to be tried again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, TextClause, select, text
from sqlalchemy.exc import DBAPIError

from memory.errors import StorageBusyError, StorageUnavailableError
from memory.store.data_folder import make_data_folder
from memory.store.database_copy import Advance
from memory.store.folder_use import SharedUse
from memory.store.migrating import known_version, migrate
from memory.store.migration_copies import drop_copies, drop_old_copies, keep_copy
from memory.store.postgres_connections import engine_of, parsed_url
from memory.store.postgres_errors import translated
from memory.store.postgres_locks import (
    ALL_WRITERS,
    SOME_WRITERS,
    DatabaseUse,
    keys_of,
    sole_job,
    sole_use_of,
    users_of,
)
from memory.store.postgres_pages import wipe
from memory.store.postgres_url import shown_url
from memory.store.row_security import EVERYONES, TENANTS, protect, working_role
from memory.store.schema import SCHEMA_VERSION, metadata
from memory.store.scope import EVERYONE, Scope, tenants_of
from memory.store.sqlite import FILE_NAME
from memory.store.transfer import load_file, save_as_file

log = logging.getLogger(__name__)

OTHER = "database with --database-url"
READING: Mapping[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
_AS_ROLE = f"""SELECT set_config('role', :role, true), set_config('{TENANTS}',
    CASE WHEN :everyone THEN '{EVERYONES}' ELSE CAST(CAST(:tenants AS text[]) AS text) END, true)"""
READ = text(_AS_ROLE)
WRITE = text(f"{_AS_ROLE}, {SOME_WRITERS}")
COUNT = text(f"""{_AS_ROLE}, set_config('synchronous_commit', 'off', true),
    set_config('lock_timeout', '1s', true),
    set_config('idle_in_transaction_session_timeout', '5s', true)""")
WRITE_ALL = text(f"{_AS_ROLE}, {ALL_WRITERS}")


class PostgresDatabase:
    """One PostgreSQL database; safe to share between threads."""

    is_shared = True

    def __init__(self, url: URL, engine: Engine, data_dir: Path) -> None:
        self.name = shown_url(url)
        self._engine = engine
        self._reader = engine.execution_options(**READING)
        self._copies = data_dir / FILE_NAME
        self._folder_use = SharedUse(data_dir)
        self._use = DatabaseUse(engine, self.name)
        self._lock = threading.Lock()
        self._role = ""
        self._is_doubtful = True
        """An error came since: look again before anything else."""

    @classmethod
    def open(cls, address: str, data_dir: Path) -> PostgresDatabase:
        """Open and migrate the database at a URL; copies of an older schema go to `data_dir`.

        Raises `StorageUnavailableError` where it cannot be used or a newer Whet made it.
        """
        url = parsed_url(address)
        database = cls(url, engine_of(url), data_dir)
        try:
            with translated(database.name):
                make_data_folder(data_dir)
                drop_old_copies(database._copies)
            with database._reviewed():
                pass
        except BaseException:
            database.close()
            raise
        return database

    @contextmanager
    def reading(self, of: Scope) -> Iterator[Connection]:
        """Yield a connection inside one read transaction: every query sees the same moment."""
        with self._reviewed(), closing(self._begun(self._reader, READ, of)) as connection:
            yield connection
            connection.commit()

    @contextmanager
    def writing(self, of: Scope) -> Iterator[Connection]:
        """Yield a connection that alone writes rows of these tenants, until it commits."""
        statement = WRITE if tenants_of(of) is not None else WRITE_ALL
        with self._reviewed(), closing(self._begun(self._engine, statement, of)) as connection:
            yield connection
            connection.commit()

    @contextmanager
    def counting(self, of: Scope) -> Iterator[Connection]:
        """Yield a connection that commits beside whoever writes, and waits for no disk."""
        with self._reviewed(), closing(self._begun(self._engine, COUNT, of)) as connection:
            yield connection
            connection.commit()

    def users(self) -> int:
        """Return how many processes have it open, this one included."""
        with self.reading(()) as connection:
            return users_of(connection)

    def _begun(self, engine: Engine, statement: TextClause, of: Scope) -> Connection:
        """Return a connection in a transaction that is about these tenants.

        The server may have been restarted since a connection was used: then a new one is made.
        """
        tenants = tenants_of(of)
        said: dict[str, Any] = {
            "role": self._role,
            "everyone": tenants is None,
            "tenants": tenants or [],
        }
        said |= {"keys": keys_of(tenants or [])} if statement is WRITE else {}
        try:
            return _executed(engine.connect(), statement, said)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return _executed(engine.connect(), statement, said)

    @contextmanager
    def _reviewed(self) -> Iterator[None]:
        """Translate errors; after one that waiting does not mend, look again."""
        try:
            with translated(self.name):
                if self._is_doubtful:
                    with self._lock:
                        self._prepare()
                yield
        except StorageBusyError:
            raise
        except StorageUnavailableError:
            self._is_doubtful = True
            raise

    def _prepare(self) -> None:
        """See that the tables are today's, and that this process may use them."""
        if not self._is_doubtful:
            return  # another thread was quicker
        self._folder_use.take()
        self._use.take()
        with self._engine.begin() as connection:
            role = working_role(connection)
            version = self._version(connection)
        self._role = role if role and version == SCHEMA_VERSION else self._migrate()
        self._is_doubtful = False

    def _migrate(self) -> str:
        """Migrate as the owner of the tables, while nobody writes; return the role to work as.

        A second process finds it done. The copy of before is a SQLite file, as a backup has it.
        """
        with self._engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            connection.exec_driver_sql(f"SELECT {ALL_WRITERS}")
            version = self._version(connection)
            if version not in (None, SCHEMA_VERSION):
                keep_copy(self._copies, version, partial(self._copy, version=version))
            migrate(connection)
            return protect(connection)

    def _version(self, connection: Connection) -> str | None:
        return known_version(connection, self.name, OTHER)

    def _copy(self, target: Path, version: str) -> None:
        with self._reader.connect() as connection:  # as the owner, whom no policy binds
            save_as_file(connection, target, version)

    def probe(self) -> None:
        """Commit something small, to learn whether a write would succeed now."""
        with self.writing(()) as connection:
            connection.exec_driver_sql("SELECT pg_logical_emit_message(true, 'whet', 'probe')")

    def empty_log(self, *, anew: bool = False) -> None:
        """Have what was erased leave the tables' pages, where this user owns them; see `wipe`.

        A transaction that began before the erasure keeps it there, and PostgreSQL's own log until
        its files are recycled.
        """
        plain = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        owned = "SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class "
        owned += "WHERE oid = to_regclass('record')"
        with self._reviewed(), plain.connect() as connection:
            if connection.exec_driver_sql(owned).scalar():
                wipe(connection, anew=anew)

    def drop_copies(self, before: float | None = None) -> tuple[str, ...]:
        """Delete copies from before migrations; return the names of those that are gone."""
        return drop_copies(self._copies, before)

    def size_bytes(self) -> int:
        """Return how much room the database takes."""
        with self.reading(()) as connection:
            size = connection.exec_driver_sql("SELECT pg_database_size(current_database())")
            return int(size.scalar_one())

    def copy_to(self, target: Path, advance: Advance | None = None) -> None:
        """Copy all that was committed before this call to a new SQLite file; raises `OSError`."""
        with self.reading(EVERYONE) as connection:
            save_as_file(connection, target, SCHEMA_VERSION, advance)

    def holds_anything(self) -> bool:
        """Whether there is a row of anybody's."""
        with self.reading(EVERYONE) as connection:
            rows = (connection.execute(select(table).limit(1)) for table in metadata.sorted_tables)
            return any(row.first() is not None for row in rows)

    @contextmanager
    def replaced_by(self, source: Path, advance: Advance | None = None) -> Iterator[None]:
        """Hold what a SQLite file of today's schema holds, if the block ends well.

        Raises `StorageBusyError` where anything else has the database open.
        """
        with self._reviewed(), self._engine.connect() as alone:
            self._use.release()
            try:
                with sole_use_of(alone, self.name), self.writing(EVERYONE) as connection:
                    load_file(source, connection, advance)
                    yield
            finally:
                self._is_doubtful = True  # its use is to be taken again

    def alone(self, job: str) -> AbstractContextManager[None]:
        """Have a job alone, on whatever machine; `StorageBusyError` where another has it."""
        return sole_job(self._engine, job)

    def close(self) -> None:
        """Close every connection that is not at work."""
        self._use.release()
        self._folder_use.release()
        self._engine.dispose()


def found_schema(address: str) -> str | None:
    """Return the schema version of a database, None for an empty one, and change nothing.

    Raises `StorageUnavailableError` where it cannot be used or a newer Whet made it.
    """
    url = parsed_url(address)
    engine = engine_of(url)
    try:
        with translated(shown_url(url)), engine.connect() as connection:
            return known_version(connection, shown_url(url), OTHER)
    finally:
        engine.dispose()


def _executed(
    connection: Connection, statement: TextClause, parameters: Mapping[str, Any]
) -> Connection:
    try:
        connection.execute(statement, parameters)
    except BaseException:
        connection.close()
        raise
    return connection

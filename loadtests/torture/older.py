"""A memory as an older Whet left it, made from one of today."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from memory.store.migrating import migrate
from memory.store.schema import metadata
from memory.store.sqlite import FILE_NAME
from memory.store.transfer import load_file, save_as_file

OLD = "0007"
"""The schema before tenants, files and batches."""


def make_older(folder: Path, url: str | None, version: str = OLD) -> None:
    """Turn a memory that nobody has open into one of an older schema.

    Every row is kept, as far as the older schema has a place for it.
    """
    older = folder / "older.db"
    with _connected(url or f"sqlite:///{folder / FILE_NAME}") as connection:
        save_as_file(connection, older, version)
    if url is None:
        for file in folder.glob(f"{FILE_NAME}*"):
            file.unlink()
        older.rename(folder / FILE_NAME)
        return
    with _connected(url) as connection:
        metadata.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE alembic_version")
        migrate(connection, version)
        load_file(older, connection)
    older.unlink()


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    """Connect past all of Whet, as the owner of the tables; commit at the end."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
    with engine.begin() as connection:
        yield connection
    engine.dispose()

"""A database as an older Whet left it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from memory.store.migrating import migration_config
from memory.store.sqlite import FILE_NAME


def drop_later_tables(connection: sqlite3.Connection | Connection) -> None:
    """Take away what schemas after 0007 added, from what is to be one of before."""
    later = ("trial", "api_key", "tenant_limits", "file_part", "file", "batch_answer", "batch")
    later += (
        "response",
        "conversation",
        "item",
        "erasure",
        "retirement",
        "word",
        "job_event",
        "job",
        "schedule",
        "eval_output",
        "eval_run",
        "evaluation",
        "judgement",
    )
    for table in later:
        if isinstance(connection, Connection):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        else:
            connection.execute(f"DROP TABLE {table}")


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """Connect past all of Whet, as the owner of the tables; commit at the end."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
    with engine.begin() as connection:
        yield connection


def older_database(folder: Path, version: str = "0007") -> Path:
    """Make a database of an older schema, with a tenant in it."""
    folder.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{folder / FILE_NAME}")
    with engine.begin() as connection:
        config = migration_config()
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        connection.exec_driver_sql("INSERT INTO head VALUES ('ann', 7)")
    engine.dispose()
    return folder / FILE_NAME

"""A database as an older Whet left it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from alembic import command
from sqlalchemy import create_engine

from memory.store.database import FILE_NAME, migration_config


def drop_later_tables(connection: sqlite3.Connection) -> None:
    """Take away what schemas after 0007 added, from what is to be one of before."""
    later = (
        "trial",
        "api_key",
        "tenant_limits",
        "file_part",
        "file",
        "batch_answer",
        "batch",
        "word",
    )
    for table in later:
        connection.execute(f"DROP TABLE {table}")


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

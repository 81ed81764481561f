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

LATER = {
    "0008": ("trial",),
    "0009": ("api_key", "tenant_limits"),
    "0010": ("file_part", "file", "batch_answer", "batch"),
    "0011": ("response", "conversation", "item"),
    "0012": ("word",),
    "0013": ("erasure", "retirement"),
    "0014": ("job_event", "job"),
    "0015": ("eval_output", "eval_run", "evaluation"),
    "0017": ("judgement",),
    "0018": ("schedule",),
    "0019": ("candidate", "selection", "worked_solution"),
    "0020": ("shadow", "release_step", "version_number"),
    "0022": ("note",),
    "0026": ("calibration",),
    "0027": ("request_trace",),
    "0029": ("quota_count",),
    "0030": ("loose_artifact",),
}
"""The tables of each schema, those first that refer to others."""


LATER_COLUMNS = {
    "0021": (("record", "source"), ("completion", "metadata")),
    "0024": (("job", "killed"),),
    "0028": (("api_key", "replaced_by"),),
}
"""The columns of each schema that tables of earlier ones got."""

LATER_INDEXES = {"0025": ("record_by_day",)}
"""Those that tables of earlier schemas got."""


def drop_later_tables(connection: sqlite3.Connection | Connection, schema: str = "0007") -> None:
    """Take away what came after a schema, from what is to be one of it."""
    run = connection.exec_driver_sql if isinstance(connection, Connection) else connection.execute
    dropped = [table for later, tables in LATER.items() if later > schema for table in tables]
    for table in dropped:
        run(f"DROP TABLE {table}")
    for later, columns in LATER_COLUMNS.items():
        for table, column in columns if later > schema else ():
            if table not in dropped:
                run(f"ALTER TABLE {table} DROP COLUMN {column}")

    for later, indexes in LATER_INDEXES.items():
        for name in indexes if later > schema else ():
            run(f"DROP INDEX {name}")


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

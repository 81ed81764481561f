"""A memory as an older Whet left it, made from one of today."""

from __future__ import annotations

import shutil
from pathlib import Path

from alembic import command
from sqlalchemy import Connection, create_engine, inspect

from memory.store.migrating import migration_config
from memory.store.sqlite import FILE_NAME

OLD = "0007"
"""The schema before tenants, files and batches."""


def make_older(folder: Path, version: str = OLD) -> None:
    """Turn the database in `folder`, which nobody has open, into one of an older schema.

    Every row is kept, as far as the older schema has a place for it.
    """
    current = folder / FILE_NAME
    older = folder / "older.db"
    engine = create_engine(f"sqlite:///{older}")
    with engine.begin() as connection:
        config = migration_config()
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"ATTACH DATABASE '{current}' AS today")
        for table in inspect(connection).get_table_names():
            if table != "alembic_version":
                _copy(connection, table)
        connection.commit()
    engine.dispose()
    for file in folder.glob(f"{FILE_NAME}*"):
        file.unlink()
    shutil.move(older, current)


def _copy(connection: Connection, table: str) -> None:
    def columns(schema: str) -> list[str]:
        rows = connection.exec_driver_sql(f"PRAGMA {schema}.table_info({table})")
        return [str(row[1]) for row in rows]

    today = set(columns("today"))
    shared = ", ".join(f'"{name}"' for name in columns("main") if name in today)
    if shared:
        connection.exec_driver_sql(f"DELETE FROM main.{table}")
        connection.exec_driver_sql(
            f"INSERT INTO main.{table} ({shared}) SELECT {shared} FROM today.{table}"
        )

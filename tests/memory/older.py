"""A database as an older Whet left it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from sqlalchemy import create_engine

from memory.database import FILE_NAME, migration_config


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

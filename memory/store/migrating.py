"""From the schema of an older Whet to today's, on a connection and in a transaction of the caller.

Knows no dialect: whoever opens a database holds its lock and keeps the copy from before.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from memory.errors import StorageUnavailableError
from memory.store.schema import SCHEMA_VERSION


def migration_config() -> Config:
    """Build Alembic's configuration in memory; there is no alembic.ini."""
    config = Config()
    folder = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    return config


def migrate(connection: Connection, version: str = "head") -> None:
    """Make the tables what they are in a schema version, from whatever older one they have."""
    config = migration_config()
    config.attributes["connection"] = connection
    command.upgrade(config, version)


def known_version(connection: Connection, name: str, flag: str) -> str | None:
    """Return the schema version, None for an empty database; refuse what Whet did not make.

    `name` is what errors call the database, `flag` what chooses another one.
    """
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise StorageUnavailableError(f"{name} was not made by Whet: choose another {flag}")
    version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if version is None or version == SCHEMA_VERSION:
        return None if version is None else str(version)
    if str(version) > SCHEMA_VERSION:
        raise StorageUnavailableError(
            f"{name} has schema {version}, newer than {SCHEMA_VERSION}: upgrade Whet to use it"
        )
    known = ScriptDirectory.from_config(migration_config()).walk_revisions()
    if version not in {each.revision for each in known}:
        raise StorageUnavailableError(
            f"{name} has schema {version!r}, which no Whet has made: choose another {flag}"
        )
    return str(version)

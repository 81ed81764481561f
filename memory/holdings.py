"""What a database file holds, as whoever copies it has to know; opening it changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from memory.errors import StorageUnavailableError
from memory.store.database_copy import opened
from memory.store.schema import SCHEMA_VERSION
from memory.store.sqlite import advice
from memory.types import State


@dataclass(frozen=True)
class Holdings:
    """A database's schema and what stands in it."""

    schema: str
    records: int
    """Records of all tenants, without those erased."""
    adapters: Mapping[str, str]
    """Id → hash of the files, which lie beside the database."""


def holdings_of(path: Path) -> Holdings:
    """Look into a database; `StorageUnavailableError` where it is not one of this Whet's."""
    try:
        with closing(opened(path, "ro")) as connection:
            return _holdings(connection, path)
    except sqlite3.Error as error:
        raise StorageUnavailableError(advice(path, error)) from error


def _holdings(connection: sqlite3.Connection, path: Path) -> Holdings:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    row = None
    if "alembic_version" in tables:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None:
        raise StorageUnavailableError(f"{path} holds no memory of Whet: name another --data-dir")
    schema = str(row[0])
    if schema > SCHEMA_VERSION:
        raise StorageUnavailableError(
            f"{path} has schema {schema}, newer than {SCHEMA_VERSION}: upgrade Whet to use it"
        )
    counting = "SELECT count(*) FROM record WHERE state != ?"
    (records,) = connection.execute(counting, (State.ERASED.value,)).fetchone()
    kept = "SELECT id, content_hash FROM adapter"
    if "retirement" in tables:  # the weights of those that are retired are deleted
        kept += " WHERE id NOT IN (SELECT adapter_id FROM retirement)"
    adapters = dict(connection.execute(kept))
    return Holdings(schema, records, adapters)

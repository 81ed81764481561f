"""All rows from one database to another, of whichever dialects: copies, backups, restoring.

Knows no table: what both have is copied, column by column. JSON is copied letter by letter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    MetaData,
    Table,
    Text,
    cast,
    create_engine,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.types import NullType, TypeEngine, UserDefinedType

from memory.store.database_copy import Advance, finish
from memory.store.migrating import migrate

CHUNK = 64
"""Rows in memory at a time: a row of `file_part` has a megabyte."""
VERSION = "alembic_version"


class _WrittenJson(UserDefinedType[str]):
    """JSON as it is written."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "JSON"


def save_as_file(
    source: Connection, target: Path, version: str, advance: Advance | None = None
) -> None:
    """Write what a database of a schema version holds to a new SQLite file, durably."""
    engine = create_engine(f"sqlite:///{target}")
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA synchronous=OFF")  # it is synced at the end, once
            migrate(connection, version)
            copy_rows(source, connection, advance)
    finally:
        engine.dispose()
    finish(target)


def load_file(source: Path, target: Connection, advance: Advance | None = None) -> None:
    """Have a database hold what a SQLite file of the same schema holds, and nothing else."""
    engine = create_engine(f"sqlite:///{source}")
    try:
        with engine.connect() as connection:
            for table in reversed(_shared(connection, target)):
                target.execute(table.delete())
            copy_rows(connection, target, advance)
        _go_on_counting(target)
    finally:
        engine.dispose()


def copy_rows(source: Connection, target: Connection, advance: Advance | None = None) -> None:
    """Copy the rows of every table that both databases have; `advance` is told how many."""
    tables = _shared(source, target)
    counts = (source.execute(select(func.count()).select_from(table)) for table in tables)
    total, done = sum(int(count.scalar_one()) for count in counts), 0
    for table in tables:
        for rows in _rows(source, table):
            target.execute(insert(table), rows)
            done += len(rows)
            if advance:
                advance(done, total)


def _rows(source: Connection, table: Table) -> Any:
    columns = [_read(column) for column in table.columns]
    found = source.execution_options(yield_per=CHUNK).execute(select(*columns))
    for chunk in found.mappings().partitions():
        yield [dict(row) for row in chunk]


def _read(column: Column[Any]) -> Any:
    is_json = isinstance(column.type, _WrittenJson)
    return cast(column, Text).label(column.name) if is_json else column


def _shared(source: Connection, target: Connection) -> list[Table]:
    """Return the tables that both have, those that others refer to first, with shared columns."""
    ours, theirs, found = _columns(source), _columns(target), MetaData()
    names = (name for name, _ in inspect(target).get_sorted_table_and_fkc_names() if name)
    return [
        Table(
            name, found, *(Column(c, kind) for c, kind in theirs[name].items() if c in ours[name])
        )
        for name in names
        if name in ours and name in theirs
    ]


def _columns(connection: Connection) -> Mapping[str, Mapping[str, TypeEngine[Any]]]:
    looker = inspect(connection)
    names = (name for name in looker.get_table_names() if name != VERSION)
    return {
        name: {column["name"]: _kind(column["type"]) for column in looker.get_columns(name)}
        for name in names
    }


def _kind(found: TypeEngine[Any]) -> TypeEngine[Any]:
    if isinstance(found, JSON):
        return _WrittenJson()
    return Boolean() if isinstance(found, Boolean) else NullType()


def _go_on_counting(connection: Connection) -> None:
    """Let PostgreSQL's sequences go on after the highest numbers there are."""
    looker = inspect(connection)
    counted = chain.from_iterable(_counted(looker, name) for name in looker.get_table_names())
    for table, column in list(counted):
        highest = f'SELECT coalesce(max("{column}"), 0) + 1 FROM "{table}"'
        connection.execute(
            text(f"SELECT setval(pg_get_serial_sequence(:table, :column), ({highest}), false)"),
            {"table": f'"{table}"', "column": column},
        )


def _counted(looker: Any, table: str) -> Sequence[tuple[str, str]]:
    columns = looker.get_columns(table)
    return [(table, c["name"]) for c in columns if str(c["default"]).startswith("nextval(")]

"""Queries that every search asks: compiled once for each dialect, and run by the driver itself.

SQLAlchemy takes longer about such a query than the database does. Errors are SQLAlchemy's all the
same, and are translated where all others are.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import ClauseElement, Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler


class Statement(NamedTuple):
    """A query as one dialect's driver takes it."""

    text: str
    order: list[str] | None
    """Of the parameters; None where the driver knows them by their names."""
    constants: dict[str, Any]


class Prepared:
    """One query, whose parameters have names."""

    def __init__(self, query: ClauseElement) -> None:
        self._query = query
        self._compiled: dict[str, Statement] = {}

    def rows(self, connection: Connection, **given: Any) -> list[tuple[Any, ...]]:
        """Return all rows, each value as the driver reads it; `given` are the parameters."""
        dialect = connection.dialect
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = _compiled(self._query, dialect)
        statement = self._compiled[dialect.name]
        named = statement.constants | given
        order = statement.order
        values = named if order is None else [named[name] for name in order]
        cursor = connection.connection.cursor()
        try:
            cursor.execute(statement.text, values)
            return list(cursor.fetchall())
        except dialect.loaded_dbapi.Error as error:
            base = dialect.loaded_dbapi.Error
            raise DBAPIError.instance(statement.text, None, error, base, dialect=dialect) from error
        finally:
            cursor.close()


def _compiled(query: ClauseElement, dialect: Dialect) -> Statement:
    compiled = query.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    order = compiled.positiontup if compiled.positional else None
    return Statement(str(compiled), order, dict(compiled.params))

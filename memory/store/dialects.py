"""What SQLite and PostgreSQL spell differently, said once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import Boolean, ColumnElement, Connection, Float, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

Insert: TypeAlias = sqlite.Insert | postgresql.Insert


def inserting(connection: Connection, table: Table) -> Insert:
    """Return an INSERT that knows ON CONFLICT."""
    is_postgres = connection.dialect.name == "postgresql"
    return postgresql.insert(table) if is_postgres else sqlite.insert(table)


def placeholder(connection: Connection) -> str:
    """Return what stands for a value in a statement that goes to the driver itself."""
    return "%s" if connection.dialect.name == "postgresql" else "?"


def listed(connection: Connection, numbers: Sequence[int]) -> Any:
    """Return a list as one value, for `among`."""
    is_postgres = connection.dialect.name == "postgresql"
    return list(numbers) if is_postgres else json.dumps(list(numbers))


class among(GenericFunction[Any]):  # noqa: N801  # reads as a function in queries
    """Whether a number is in a list that is one value: then one statement serves any length.

    It has no type: of a boolean, SQLite would be asked whether it equals 1, and look at every row.
    """

    inherit_cache = True


@compiles(among, "sqlite")
def _in_json(element: among, compiler: Any, **options: Any) -> str:
    number, given = (compiler.process(each, **options) for each in element.clauses)
    return f"({number} IN (SELECT value FROM json_each({given})))"


@compiles(among, "postgresql")
def _in_array(element: among, compiler: Any, **options: Any) -> str:
    number, given = (compiler.process(each, **options) for each in element.clauses)
    return f"({number} = ANY (CAST({given} AS integer[])))"


class holds(GenericFunction[bool]):  # noqa: N801  # reads as a function in queries
    """Whether a text has a part, letter by letter: LIKE has a longest pattern, and folds case."""

    type = Boolean()
    inherit_cache = True


@compiles(holds, "sqlite")
def _instr(element: holds, compiler: Any, **options: Any) -> str:
    return f"(instr({compiler.process(element.clauses, **options)}) > 0)"


@compiles(holds, "postgresql")
def _strpos(element: holds, compiler: Any, **options: Any) -> str:
    return f"(strpos({compiler.process(element.clauses, **options)}) > 0)"


def holding(text: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """Whether `text` has `part` in it."""
    return holds(text, part)


class moment(GenericFunction[float]):  # noqa: N801  # reads as a function in queries
    """The database's own clock at this statement, in Unix seconds: servers' clocks differ."""

    type = Float()
    inherit_cache = True


@compiles(moment, "sqlite")
def _julian(element: moment, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(moment, "postgresql")
def _clock(element: moment, compiler: Any, **options: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"

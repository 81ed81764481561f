"""Counts for dashboards and the command line; no content and no ids."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, func, select, true

from memory.store.database import Database
from memory.store.schema import adapter, completion, head, record
from memory.types import Source, State, Tier


class Counts:
    """What a page can show at once of a tenant with a hundred thousand records: every count is read
    from an index."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, tenant: str) -> dict[str, Any]:
        """Count a tenant's records by state, its completions and its adapters."""
        with self._database.reading(tenant) as connection:
            return _counts(connection, tenant)


def tenant_statistics(connection: Connection, tenant: str | None) -> dict[str, Any]:
    """Count records in several ways, completions and adapters, of a tenant or of all."""
    mine = _of(record.c.tenant, tenant)
    sums = select(func.sum(record.c.uses), func.sum(record.c.wins)).where(mine)
    uses, wins = connection.execute(sums).one()
    return {
        "tenant": tenant,
        **_counts(connection, tenant),
        "tiers": _of_active(connection, record.c.tier, Tier, mine),
        "sources": _of_active(connection, record.c.source, Source, mine),
        "uses": int(uses or 0),
        "wins": int(wins or 0),
        "events": _events(connection, tenant),
    }


def _counts(connection: Connection, tenant: str | None) -> dict[str, Any]:
    states = _grouped(connection, record.c.state, _of(record.c.tenant, tenant))
    return {
        "records": sum(n for state, n in states.items() if state != State.ERASED),
        "states": {state.value: states.get(state, 0) for state in State},
        "completions": _count(connection, completion.c.tenant, tenant),
        "adapters": _count(connection, adapter.c.tenant, tenant),
    }


def _of_active(
    connection: Connection, column: Column[Any], kinds: type[StrEnum], mine: ColumnElement[bool]
) -> dict[str, int]:
    found = _grouped(connection, column, mine & (record.c.state == State.ACTIVE))
    return {kind.value: found.get(kind.value, 0) for kind in kinds}


def _grouped(
    connection: Connection, column: Column[Any], mine: ColumnElement[bool]
) -> dict[str, int]:
    query = select(column, func.count()).where(mine).group_by(column)
    return {str(value): int(count) for value, count in connection.execute(query)}


def _count(connection: Connection, column: Column[Any], tenant: str | None) -> int:
    query = select(func.count()).select_from(column.table).where(_of(column, tenant))
    return int(connection.execute(query).scalar_one())


def _events(connection: Connection, tenant: str | None) -> int:
    query = select(func.sum(head.c.seq)).where(_of(head.c.tenant, tenant))
    return int(connection.execute(query).scalar() or 0)


def _of(column: Column[Any], tenant: str | None) -> ColumnElement[bool]:
    return true() if tenant is None else column == tenant

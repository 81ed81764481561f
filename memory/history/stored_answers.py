"""Answers that were kept, chosen by their makers' marks: what evaluations of traffic are made of.

Owns the queries over completions and stored responses; changes neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Select, Table, select

from memory.store.database import Database
from memory.store.schema import completion, response
from memory.types import Frozen

AT_ONCE = 200
"""Rows that are read in one transaction."""


class Wanted(Frozen):
    """Which answers; times are Unix seconds, both included."""

    created_after: float | None = None
    created_before: float | None = None
    model: str | None = None
    metadata: Mapping[str, str] | None = None
    """Pairs that the request had, among others."""
    limit: int = 10_000


class StoredAnswers:
    """The answers of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def completions(self, tenant: str, wanted: Wanted) -> list[str]:
        """Return the ids of completions whose conversation is kept, the oldest first."""
        names = ("id", "model", "metadata", "messages", "created_at")
        rows = self._walk(tenant, completion, names, wanted)
        found = (
            row["id"]
            for row in rows
            if row["messages"]
            and wanted.model in (None, row["model"])
            and _has(row["metadata"], wanted.metadata)
        )
        return _first(found, wanted.limit)

    def responses(self, tenant: str, wanted: Wanted, has: Mapping[str, Any]) -> list[str]:
        """Return the ids of completed responses, the oldest first.

        `has` is what their bodies hold: a value, or one of several in a list.
        """
        rows = self._walk(tenant, response, ("id", "status", "body", "created_at"), wanted)
        found = (
            row["id"]
            for row in rows
            if row["status"] == "completed"
            and wanted.model in (None, row["body"].get("model"))
            and _has(row["body"].get("metadata"), wanted.metadata)
            and all(_agrees(row["body"].get(name), value) for name, value in has.items())
        )
        return _first(found, wanted.limit)

    def _walk(
        self, tenant: str, table: Table, names: tuple[str, ...], wanted: Wanted
    ) -> Iterator[Mapping[str, Any]]:
        """Yield rows by age, page by page: no transaction stays open between."""
        place = (table.c.created_at, table.c.id)
        query: Select[Any] = select(*(table.c[name] for name in names))
        query = query.where(table.c.tenant == tenant).order_by(*place).limit(AT_ONCE)
        if wanted.created_after is not None:
            query = query.where(table.c.created_at >= wanted.created_after)
        if wanted.created_before is not None:
            query = query.where(table.c.created_at <= wanted.created_before)
        here = query
        while True:
            with self._database.reading(tenant) as connection:
                rows = connection.execute(here).mappings().all()
            yield from (dict(row) for row in rows)
            if len(rows) < AT_ONCE:
                return
            at, last = rows[-1]["created_at"], rows[-1]["id"]
            later = (place[0] > at) | ((place[0] == at) & (place[1] > last))
            here = query.where(later)


def _first(found: Iterator[str], limit: int) -> list[str]:
    return [each for each, _ in zip(found, range(limit), strict=False)]


def _has(given: Mapping[str, Any] | None, wanted: Mapping[str, str] | None) -> bool:
    return not wanted or all((given or {}).get(name) == value for name, value in wanted.items())


def _agrees(given: Any, wanted: Any) -> bool:
    return given in wanted if isinstance(wanted, list) else bool(given == wanted)

"""What each tenant has used of its limits, counted for all servers of one database.

Owns the table and its one transaction. A count is worth no wait for a disk: it may lose what was
settled in the last second before the machine of the database fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from memory.quota_claims import DAY_S, Claim, Count, Grant, settled
from memory.store.database import Database
from memory.store.dialects import inserting, moment
from memory.store.schema import quota_count
from memory.store.scope import EVERYONE
from memory.store.upsert import upsert


class QuotaCounts:
    """The counts of all tenants that have limits."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def settle(self, server: str, claims: Mapping[str, Claim]) -> dict[str, Grant]:
        """Count what a server used of several tenants' limits; return what it gets of each.

        All or none of it is counted. Raises `StorageUnavailableError`.
        """
        grants, rows = {}, []
        with self._database.counting(list(claims)) as connection:
            for row in _locked(connection, sorted(claims)):
                count, grant = settled(_read(row), server, claims[row.tenant], row.now)
                grants[row.tenant] = grant
                rows.append({"tenant": row.tenant, "settled_at": row.now, **vars(count)})
            upsert(connection, quota_count, ["tenant"], *rows)
        return grants

    def servers(self) -> int:
        """Return how many processes have the database open: servers, and commands at work."""
        return self._database.users()

    def tidy(self) -> int:
        """Forget tenants that used nothing for a day and owe nothing; return how many they were."""
        with self._database.counting(EVERYONE) as connection:
            now = float(connection.execute(select(moment())).scalar_one())
            full = (quota_count.c.requests_full_at < now, quota_count.c.tokens_full_at < now)
            idle = quota_count.c.settled_at < now - DAY_S
            return connection.execute(delete(quota_count).where(idle, *full)).rowcount


def _locked(connection: Connection, tenants: Sequence[str]) -> Sequence[Row[Any]]:
    """Return the rows of tenants, made where they are missing, for this transaction alone.

    They are locked in one order, so that two servers never wait for each other.
    """
    query = (
        select(quota_count, moment().label("now"))
        .where(quota_count.c.tenant.in_(tenants))
        .order_by(quota_count.c.tenant)
        .with_for_update()
    )
    rows = connection.execute(query).all()
    if len(rows) < len(tenants):
        new = [{"tenant": tenant, "settled_at": 0.0, **vars(Count())} for tenant in tenants]
        insert = inserting(connection, quota_count).on_conflict_do_nothing()
        connection.execute(insert, new)
        rows = connection.execute(query).all()
    return rows


def _read(row: Row[Any]) -> Count:
    places = {server: (number, until) for server, (number, until) in row.places.items()}
    times = (row.requests_full_at, row.tokens_full_at)
    return Count(*times, row.day, row.steps, places)

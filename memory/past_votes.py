"""How a tenant's past votes fell: counted, newest first, from the completions that are kept.

What an operator's retention deletes is forgotten here too, and a request that does not write memory
leaves no vote behind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from sqlalchemy import select

from memory.database import Database
from memory.schema import completion

NEWEST = 2_000
"""Votes looked back on: enough to know a tenant by, few enough to follow one that changes."""

Fallen: TypeAlias = tuple[int, int, int]  # votes of the leader, the runner-up, and the rest


class PastVotes:
    """The votes of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(
        self, tenant: str, *, trained: bool, near: Sequence[str] | None = None
    ) -> Counter[Fallen]:
        """Return how often votes fell in each way; `near`: on questions like these records'."""
        columns = completion.c
        newest = (
            select(columns.vote_leader, columns.vote_runner_up, columns.vote_rest)
            .where(columns.vote_trained == trained)
            .order_by(columns.created_at.desc())
            .limit(NEWEST)
        )
        if near is None:
            newest = newest.where(columns.tenant == tenant)
        else:
            # As an expression the tenant has no index: few completions are near a record, but
            # SQLite would rather walk all of the tenant's.
            of_tenant = columns.tenant.concat("") == tenant
            newest = newest.where(of_tenant, columns.vote_near.in_(near))
        with self._database.reading() as connection:
            return Counter(tuple(row) for row in connection.execute(newest))

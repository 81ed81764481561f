"""How a tenant's past votes fell: counted, newest first, from the completions that are kept.

What an operator's retention deletes is forgotten here too, and a request that does not write memory
leaves no vote behind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from sqlalchemy import ColumnElement, Select, and_, select

from memory.store.database import Database
from memory.store.schema import completion

NEWEST = 2_000
"""Votes looked back on: enough to know a tenant by, few enough to follow one that changes."""
NEWEST_NEAR = 250
"""Newest votes that are read on questions like one record's."""

Fallen: TypeAlias = tuple[int, int, int]  # votes of the leader, the runner-up, and the rest


class PastVotes:
    """The votes of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(
        self, tenant: str, *, trained: bool, near: Sequence[str] | None = None
    ) -> Counter[Fallen]:
        """Return how often votes fell in each way; `near`: on questions like these records'."""
        if near is None:
            wanted = [_newest(trained, completion.c.tenant == tenant, NEWEST)]
        else:
            # As an expression the tenant has no index: few completions are near a record, but
            # SQLite would rather walk all of the tenant's.
            of_tenant = completion.c.tenant.concat("") == tenant
            wanted = [
                _newest(trained, and_(of_tenant, completion.c.vote_near == record), NEWEST_NEAR)
                for record in near
            ]
        fallen: Counter[Fallen] = Counter()
        with self._database.reading(tenant) as connection:
            for votes in wanted:
                fallen.update((row[0], row[1], row[2]) for row in connection.execute(votes))
        return fallen


def _newest(trained: bool, condition: ColumnElement[bool], most: int) -> Select[int, int, int]:
    columns = completion.c
    return (
        select(columns.vote_leader, columns.vote_runner_up, columns.vote_rest)
        .where(columns.vote_trained == trained, condition)
        .order_by(columns.created_at.desc())
        .limit(most)
    )

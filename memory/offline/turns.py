"""Whose work comes next, where each tenant has one thing worked on at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Row


def next_in_turn(
    rows: Iterable[Row[Any]], holder: str, now: float, but_of: Collection[str]
) -> Row[Any] | None:
    """Return the one to be held next of what is open, given by number; None where there is none.

    Of each tenant only the oldest counts, if nobody else holds it, and none of the tenants
    `but_of`. The one that was let go longest ago, or never held, comes first.
    """
    first = dict[str, Row[Any]]()
    for row in rows:
        first.setdefault(row.tenant, row)
    waiting = [
        row
        for tenant, row in first.items()
        if tenant not in but_of and (row.holder in (None, holder) or row.held_until <= now)
    ]
    return min(waiting, key=lambda each: (each.held_until, each.number), default=None)

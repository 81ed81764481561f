"""Completions that waited to be written while another process erased a record.

Whether they were asked its question cannot be told: not even a hash of it stays. So none of the
tenant's is written that was answered before; its erasure takes too much rather than too little.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence
from math import inf

from sqlalchemy import Connection, select

from memory.store.schema import erasure
from memory.types import Completion

log = logging.getLogger(__name__)

SKEW_S = 1.0
"""What the clocks of two servers may differ by."""


def unerased(
    connection: Connection, items: Sequence[Completion], own: Collection[str]
) -> Sequence[Completion]:
    """Return the completions that may be written still.

    `own` are records that this process erased: what was asked them was taken out by it.
    """
    tenants = {item.tenant for item in items}
    since = min((_answered_at(item) for item in items), default=0.0) - SKEW_S
    columns = select(erasure.c.tenant, erasure.c.record_id, erasure.c.begun_at)
    # One of the future was begun by a clock that had jumped: nothing would ever be written again.
    when = erasure.c.begun_at.between(since, time.time() + SKEW_S)
    found = columns.where(erasure.c.tenant.in_(tenants), when)
    late = [row for row in connection.execute(found) if row.record_id not in own]
    last = {row.tenant: row.begun_at for row in sorted(late, key=lambda row: row.begun_at)}
    kept = [item for item in items if _answered_at(item) - SKEW_S > last.get(item.tenant, -inf)]
    if len(kept) < len(items):
        words = "%d completions are not kept: they waited while a record was erased elsewhere"
        log.info(words, len(items) - len(kept))
    return kept


def _answered_at(item: Completion) -> float:
    return 0.0 if item.created_at is None else item.created_at.timestamp()

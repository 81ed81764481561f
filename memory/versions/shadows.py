"""How candidates would have answered beside what was shown.

Owns the table of shadows, which holds verdicts and no content: it lasts as long as the stage.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import select

from memory.store.database import Database
from memory.store.schema import shadow
from memory.store.upsert import upsert
from memory.types import Frozen
from memory.versions.release import Stage, stage_of


class Shadow(Frozen):
    """One question that was answered twice."""

    id: str
    """Id of the answer that was shown."""
    adapter_id: str
    shown_right: bool | None
    """None where no verifier spoke of the truth; likewise below."""
    right: bool | None
    same: bool
    """Whether both came to one answer."""


@dataclass(frozen=True)
class Shadowed:
    """What is known of a candidate's shadows."""

    total: int
    same: int
    pairs: list[tuple[bool, bool]]
    """(candidate right, shown right) of those that were judged, in the order they were made."""


class Shadows:
    """The shadows of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, tenant: str, new: Shadow) -> None:
        """Note one, unless its candidate is not at that stage any more."""
        row = new.model_dump() | {"tenant": tenant, "at": time.time()}
        with self._database.writing(tenant) as connection:
            if stage_of(connection, new.adapter_id) is Stage.SHADOW:
                upsert(connection, shadow, ("tenant", "id", "adapter_id"), row)

    def of(self, tenant: str, adapter_id: str) -> Shadowed:
        """Return what a candidate's shadows came to."""
        mine = (shadow.c.tenant == tenant) & (shadow.c.adapter_id == adapter_id)
        query = select(shadow).where(mine).order_by(shadow.c.at, shadow.c.id)
        with self._database.reading(tenant) as connection:
            rows = connection.execute(query).all()
        judged = [r for r in rows if r.right is not None and r.shown_right is not None]
        return Shadowed(
            total=len(rows),
            same=sum(row.same for row in rows),
            pairs=[(row.right, row.shown_right) for row in judged],
        )

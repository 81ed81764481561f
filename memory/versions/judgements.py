"""What the promotion gate found of each generation: the error budget of a run is read from it.

Owns the table of judgements. Knows neither how a generation is judged nor what a budget is.
"""

from __future__ import annotations

import time
from typing import Any, TypeAlias

from pydantic import Field
from sqlalchemy import func, insert, select

from memory.store.database import Database
from memory.store.schema import judgement
from memory.store.scope import EVERYONE
from memory.types import Frozen

MOST_AT_ONCE = 256
"""Judgements of all tenants that are read together."""
Judgements: TypeAlias = "tuple[Judgement, ...]"


class Judgement(Frozen):
    """One generation that was judged; shares are of the questions asked."""

    tenant: str
    base_model: str
    adapter_id: str
    promoted: bool
    alpha: float = Field(gt=0, le=1)
    """What it staked of the run's budget."""
    e_value: float
    helped: int
    """Held-out questions wrong before, right with the candidate."""
    hurt: int
    before: float
    """Share that was answered rightly by what was served."""
    after: float
    """Share that the candidate answered rightly."""
    train: int
    """Records it learned from."""
    seconds: float
    record_ids: tuple[str, ...]
    """Records whose questions were asked."""
    alarms: tuple[str, ...] = ()
    """Names of the monitors that gave alarm."""
    at: float = Field(default_factory=time.time)
    """Unix seconds."""


class JudgementStore:
    """The judgements of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, new: Judgement) -> None:
        """Remember a judgement."""
        values = new.model_dump(mode="json")
        with self._database.writing(new.tenant) as connection:
            connection.execute(insert(judgement).values(values))

    def of(self, tenant: str, base_model: str) -> Judgements:
        """Return a tenant's judgements of adapters for a base, the oldest first."""
        mine = (judgement.c.tenant == tenant) & (judgement.c.base_model == base_model)
        query = select(judgement).where(mine).order_by(judgement.c.number)
        with self._database.reading(tenant) as connection:
            return tuple(_judgement(dict(row)) for row in connection.execute(query).mappings())

    def newest(self) -> int:
        """Return the number of the last judgement of any tenant; 0 before the first."""
        with self._database.reading(EVERYONE) as connection:
            return int(connection.scalar(select(func.max(judgement.c.number))) or 0)

    def after(self, number: int) -> list[tuple[int, Judgement]]:
        """Return the judgements of all tenants after one, numbered, the oldest first."""
        query = select(judgement).where(judgement.c.number > number).order_by(judgement.c.number)
        with self._database.reading(EVERYONE) as connection:
            rows = [dict(row) for row in connection.execute(query.limit(MOST_AT_ONCE)).mappings()]
        return [(row["number"], _judgement(row)) for row in rows]


def _judgement(row: dict[str, Any]) -> Judgement:
    return Judgement.model_validate({k: v for k, v in row.items() if k != "number"})

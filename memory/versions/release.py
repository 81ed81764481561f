"""How far the release of an adapter version is, and how it came there.

A release is a list of steps, each noted in the transaction that moves the version's names: the
newest says where it stands, whatever was killed. Owns that table. Knows nothing of when a version
goes on.
"""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, and_, delete, func, select

from memory.store.database import Database
from memory.store.schema import alias, release_step, shadow
from memory.store.scope import EVERYONE
from memory.types import Frozen


class Stage(StrEnum):
    """Where a version stands."""

    SUGGESTED = "suggested"
    """The gate let it through, and nothing is done about it."""
    WAITING = "waiting"
    """The release waits until somebody approves of it."""
    SHADOW = "shadow"
    """It answers beside what is shown."""
    SHARE = "share"
    """It answers a share of the requests."""
    ALL = "all"
    """It is the champion, and looked after."""
    KEPT = "kept"
    """It is the champion for good."""
    BACK = "taken_back"
    """It was rejected, or something else is served instead."""


UNAPPROVED = (Stage.SUGGESTED, Stage.WAITING)
TRIED = (Stage.SHADOW, Stage.SHARE)


class Step(Frozen):
    """One stage that a version came to."""

    adapter_id: str
    stage: Stage
    reason: str
    at: float
    """Unix seconds."""


class Releases:
    """The steps of all tenants' versions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, tenant: str, adapter_id: str) -> tuple[Step, ...]:
        """Return the steps of a version, the oldest first; none of one that is not the tenant's."""
        mine = (release_step.c.tenant == tenant) & (release_step.c.adapter_id == adapter_id)
        query = select(release_step).where(mine).order_by(release_step.c.number)
        with self._database.reading(tenant) as connection:
            return tuple(map(_step, connection.execute(query)))

    def now(self, name: str) -> dict[str, Step]:
        """Return the newest step of what each tenant calls `champion` or `candidate`."""
        newest = select(func.max(release_step.c.number)).group_by(release_step.c.adapter_id)
        mine = and_(
            alias.c.adapter_id == release_step.c.adapter_id,
            alias.c.tenant == release_step.c.tenant,
        )
        named = select(release_step).join(alias, mine).where(alias.c.name == name)
        with self._database.reading(EVERYONE) as connection:
            rows = connection.execute(named.where(release_step.c.number.in_(newest))).all()
        return {row.tenant: _step(row) for row in rows}


def note_step(
    connection: Connection, tenant: str, adapter_id: str, stage: Stage, reason: str
) -> None:
    """Note a stage; what its shadows came to is said by the reason, and they go."""
    connection.execute(delete(shadow).where(shadow.c.adapter_id == adapter_id))
    row = {"tenant": tenant, "adapter_id": adapter_id, "stage": stage, "reason": reason}
    connection.execute(release_step.insert().values(**row, at=time.time()))


def stage_of(connection: Connection, adapter_id: str) -> Stage | None:
    """Return where a version stands; None for one that never was released."""
    mine = release_step.c.adapter_id == adapter_id
    query = select(release_step.c.stage).where(mine).order_by(release_step.c.number.desc())
    found = connection.execute(query.limit(1)).scalar()
    return None if found is None else Stage(found)


def _step(row: Any) -> Step:
    return Step(adapter_id=row.adapter_id, stage=Stage(row.stage), reason=row.reason, at=row.at)

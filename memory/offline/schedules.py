"""Schedules: jobs that are asked for by themselves, by one of several servers.

Owns their table. Knows neither what a moment of cron is nor who makes the job.
"""

from __future__ import annotations

import time
from typing import Any, TypeAlias
from uuid import uuid4

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from memory.errors import ConflictError, NotFoundError
from memory.offline.schedule import NewSchedule, Schedule
from memory.store.database import Database
from memory.store.schema import record, schedule
from memory.store.scope import EVERYONE
from memory.types import TIERS_THAT_TRAIN, State

MOST = 100
"""Schedules of a tenant."""
Schedules: TypeAlias = "list[Schedule]"  # inside the class, `list` is a method


class ScheduleStore:
    """The schedules of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, new: NewSchedule) -> Schedule:
        """Remember a schedule; records that are there are none of its new ones.

        Raises `ConflictError` where the tenant has `MOST` already.
        """
        mine = schedule.c.tenant == new.tenant
        with self._database.writing(new.tenant) as connection:
            if len(connection.execute(select(schedule.c.id).where(mine)).all()) >= MOST:
                raise ConflictError(f"there are {MOST} schedules, the most: remove one")
            values = new.model_dump(mode="json") | {
                "id": f"sched_{uuid4().hex}",
                "seen": _newest(connection, new.tenant),
                "created_at": time.time(),
            }
            connection.execute(insert(schedule).values(values))
        return Schedule.model_validate(values)

    def list(self, tenant: str) -> Schedules:
        """Return a tenant's schedules, oldest first."""
        mine = select(schedule).where(schedule.c.tenant == tenant).order_by(schedule.c.number)
        with self._database.reading(tenant) as connection:
            return [_schedule(row) for row in connection.execute(mine)]

    def delete(self, tenant: str, schedule_id: str) -> None:
        """Forget a schedule; what it began goes on. Raises `NotFoundError`."""
        here = and_(schedule.c.id == schedule_id, schedule.c.tenant == tenant)
        with self._database.writing(tenant) as connection:
            if not connection.execute(delete(schedule).where(here)).rowcount:
                raise NotFoundError(f"no schedule {schedule_id}")

    # What follows is for whoever makes the jobs.

    def due(self, now: float) -> Schedules:
        """Return what is to be looked at, of all tenants, the longest due first."""
        late = select(schedule).where(schedule.c.next_at <= now).order_by(schedule.c.next_at)
        with self._database.reading(EVERYONE) as connection:
            return [_schedule(row) for row in connection.execute(late)]

    def take(self, due: Schedule, next_at: float) -> bool:
        """Have it looked at again then; False where another has done so, or it is gone."""
        here = and_(schedule.c.id == due.id, schedule.c.next_at == due.next_at)
        with self._database.writing(due.tenant) as connection:
            moved = connection.execute(update(schedule).where(here).values(next_at=next_at))
            return moved.rowcount == 1

    def new_records(self, of: Schedule) -> int:
        """Count the records that may train and are new since its last job."""
        mine = and_(
            record.c.tenant == of.tenant,
            record.c.state == State.ACTIVE,
            record.c.tier.in_(TIERS_THAT_TRAIN),
            record.c.number > of.seen,
        )
        with self._database.reading(of.tenant) as connection:
            counted = select(func.count()).select_from(record).where(mine)
            return int(connection.execute(counted).scalar_one())

    def begun(self, of: Schedule, job_id: str) -> None:
        """Note the job that it began: the records that are there are not new any more."""
        with self._database.writing(of.tenant) as connection:
            values = {"last_job": job_id, "seen": _newest(connection, of.tenant)}
            connection.execute(update(schedule).where(schedule.c.id == of.id).values(values))


def _newest(connection: Connection, tenant: str) -> int:
    newest = select(func.max(record.c.number)).where(record.c.tenant == tenant)
    return connection.execute(newest).scalar() or 0


def _schedule(row: Row[tuple[Any, ...]]) -> Schedule:
    fields = {name: value for name, value in row._mapping.items() if name in Schedule.model_fields}
    return Schedule.model_validate(fields)

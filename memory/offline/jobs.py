"""Jobs: offline work, kept so that a process that dies is followed by another.

Owns the tables of jobs and of what is told of them. Knows neither what a kind does nor who runs it.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias
from uuid import uuid4

from sqlalchemy import Connection, Row, and_, delete, insert, or_, select

from memory.errors import ConflictError
from memory.offline.job import (
    OPEN,
    Job,
    JobEvent,
    JobKind,
    JobStatus,
    NewEvent,
    NewJob,
    Progress,
    Wish,
)
from memory.offline.job_rows import (
    add_events,
    change,
    ended_as,
    event_of,
    job_of,
    latest_begun,
    number_of_event,
    read_job,
    row_of,
    wished,
)
from memory.paging import place_of
from memory.store.database import Database
from memory.store.schema import job, job_event
from memory.store.scope import EVERYONE
from memory.text import clean, clean_json

HELD_S = 60.0
"""A worker of a job says so more often; after this, another may go on with it."""
Jobs: TypeAlias = "list[Job]"  # inside the class, `list` is a method
Events: TypeAlias = "list[JobEvent]"
Ids: TypeAlias = "list[str]"


class JobStore:
    """The jobs of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, new: NewJob, most_open: int, told: Sequence[NewEvent] = ()) -> Job:
        """Remember a job, queued, and what is `told` of it at once.

        Raises `ConflictError` where the tenant has `most_open` that are not done.
        """
        values = new.model_dump(mode="json", exclude={"id"}) | {
            "id": new.id or f"job_{uuid4().hex}",
            "status": JobStatus.QUEUED,
            "created_at": time.time(),
        }
        mine = and_(job.c.tenant == new.tenant, job.c.status.in_(OPEN))
        with self._database.writing(new.tenant) as connection:
            if len(connection.execute(select(job.c.id).where(mine)).all()) >= most_open:
                raise ConflictError(
                    f"{most_open} jobs are not done, the most at a time: wait for one to end, or "
                    "cancel one"
                )
            connection.execute(insert(job).values(values | {"held_until": 0.0}))
            add_events(connection, values["id"], told)
        return Job.model_validate(values)

    def get(self, tenant: str, job_id: str) -> Job:
        """Return a job; raises `NotFoundError`."""
        with self._database.reading(tenant) as connection:
            return job_of(row_of(connection, tenant, job_id))

    def list(
        self,
        tenant: str,
        limit: int,
        after: str | None = None,
        kinds: Collection[JobKind] = tuple(JobKind),
    ) -> Jobs:
        """Return a tenant's jobs, newest first; those that come `after` one of that id."""
        wanted = and_(job.c.tenant == tenant, job.c.kind.in_(kinds))
        with self._database.reading(tenant) as connection:
            if after is not None:
                place = place_of(row_of, connection, tenant, after).number
                wanted = and_(wanted, job.c.number < place)
            newest = select(job).where(wanted).order_by(job.c.number.desc()).limit(limit)
            return [job_of(row) for row in connection.execute(newest)]

    def ask(self, tenant: str, job_id: str, wish: Wish) -> Job:
        """Have a job cancelled, paused or gone on with: at once where nobody works on it.

        Raises `NotFoundError`, and `ConflictError` where it cannot be.
        """
        with self._database.writing(tenant) as connection:
            row = row_of(connection, tenant, job_id)
            found = job_of(row)
            if not found.is_open:
                raise ConflictError(f"job {job_id} has {ended_as(found)} already")
            is_held = row.holder is not None and row.held_until > time.time()
            changes = wished(found, wish, is_held=is_held)
            if changes is None:
                raise ConflictError(f"job {job_id} is {found.status}: it cannot {wish}")
            change(connection, job_id, **changes)
            return read_job(connection, job_id)

    def events(
        self,
        tenant: str,
        job_id: str,
        limit: int,
        after: str | None = None,
        *,
        oldest: bool = False,
    ) -> Events:
        """Return what was told of a job, newest first; with `oldest` the oldest first.

        Those that come `after` one of that id. Raises `NotFoundError`.
        """
        of_job = job_event.c.job_id == job_id
        with self._database.reading(tenant) as connection:
            row_of(connection, tenant, job_id)
            if after is not None:
                number = place_of(number_of_event, connection, job_id, after)
                follows = job_event.c.number > number if oldest else job_event.c.number < number
                of_job = and_(of_job, follows)
            order = job_event.c.number.asc() if oldest else job_event.c.number.desc()
            found = select(job_event).where(of_job).order_by(order).limit(limit)
            return [event_of(row) for row in connection.execute(found)]

    # What follows is for whoever works on jobs: it is of all tenants.

    def claim(self, holder: str, kinds: Collection[JobKind] = tuple(JobKind)) -> Job | None:
        """Return a job that waits for somebody, now held; None where there is none.

        Of each tenant its oldest; first the tenant for whom nobody has begun one for longest.
        """
        now, first = time.time(), dict[str, Row[tuple[Any, ...]]]()
        free = or_(job.c.holder.is_(None), job.c.holder == holder, job.c.held_until <= now)
        waits = or_(job.c.status == JobStatus.QUEUED, and_(job.c.status == JobStatus.RUNNING, free))
        with self._database.writing(EVERYONE) as connection:
            open_ones = select(job).where(waits, job.c.kind.in_(kinds)).order_by(job.c.number)
            for row in connection.execute(open_ones):
                first.setdefault(row.tenant, row)
            if not first:
                return None
            latest = latest_begun(connection, first)
            row = min(first.values(), key=lambda each: (latest[each.tenant], each.number))
            change(
                connection,
                row.id,
                status=JobStatus.RUNNING,
                started_at=row.started_at or now,
                holder=holder,
                held_until=now + HELD_S,
                begun_at=now,
            )
            return read_job(connection, row.id)

    def take(self, tenant: str, job_id: str, holder: str) -> Job:
        """Hold one job, whoever waits; raises `ConflictError` where it is not free."""
        with self._database.writing(tenant) as connection:
            row = row_of(connection, tenant, job_id)
            now = time.time()
            is_held = row.holder not in (None, holder) and row.held_until > now
            if is_held or row.status not in (JobStatus.QUEUED, JobStatus.RUNNING):
                raise ConflictError(f"job {job_id} is {row.status}: it cannot be taken")
            held = {"holder": holder, "held_until": now + HELD_S, "begun_at": now}
            started = row.started_at or now
            change(connection, job_id, status=JobStatus.RUNNING, started_at=started, **held)
            return read_job(connection, job_id)

    def open_ids(self) -> set[str]:
        """Return the ids of the jobs, of all tenants, that are not done."""
        with self._database.reading(EVERYONE) as connection:
            ids = select(job.c.id).where(job.c.status.in_(OPEN))
            return set(connection.execute(ids).scalars())

    def hold(self, job_id: str, holder: str) -> Job | None:
        """Say that the holder is still at work, and return the job with what is wanted of it.

        None where it is another's by now, or has ended.
        """
        with self._held(job_id, holder) as connection:
            if connection is None:
                return None
            change(connection, job_id, held_until=time.time() + HELD_S)
            return read_job(connection, job_id)

    def advance(self, job_id: str, holder: str, progress: Progress) -> None:
        """Note how far the job is, where it is the holder's."""
        with self._held(job_id, holder) as connection:
            if connection is not None:
                change(connection, job_id, progress=progress.model_dump(mode="json"))

    def keep(self, job_id: str, holder: str, result: dict[str, Any]) -> None:
        """Note what came of the job so far, where it is the holder's."""
        with self._held(job_id, holder) as connection:
            if connection is not None:
                change(connection, job_id, result=clean_json(result))

    def note(self, job_id: str, holder: str, events: Sequence[NewEvent]) -> None:
        """Note what is to be told of the job, where it is the holder's."""
        with self._held(job_id, holder) as connection:
            if connection is not None:
                add_events(connection, job_id, events)

    def end(
        self,
        job_id: str,
        holder: str,
        status: JobStatus,
        result: dict[str, Any] | None = None,
        error: str | None = None,
    ) -> Job | None:
        """End the job; a `result` of None leaves what was kept. None where it is another's."""
        with self._held(job_id, holder) as connection:
            if connection is None:
                return None
            kept = {} if result is None else {"result": clean_json(result)}
            said = None if error is None else clean(error)
            ended = {"ended_at": time.time(), "wanted": None, "holder": None}
            change(connection, job_id, status=status, error=said, **ended, **kept)
            return read_job(connection, job_id)

    def killed(self, job_id: str, holder: str) -> int:
        """Note that a process of the job ended without a word; return how often that was.

        0 where it is another's.
        """
        with self._held(job_id, holder) as connection:
            if connection is None:
                return 0
            change(connection, job_id, killed=job.c.killed + 1)
            here = select(job.c.killed).where(job.c.id == job_id)
            return int(connection.execute(here).scalar_one())

    def let_go(self, job_id: str, holder: str) -> Job | None:
        """Have the job wait for anybody, or rest or end where that is wanted.

        None where it is another's.
        """
        with self._held(job_id, holder) as connection:
            if connection is None:
                return None
            found = read_job(connection, job_id)
            obeyed = wished(found, found.wanted, is_held=False) if found.wanted else None
            changes = {"status": JobStatus.QUEUED, **(obeyed or {})}
            change(connection, job_id, **changes | {"holder": None, "held_until": 0.0})
            return read_job(connection, job_id)

    def drop_ended(self, before: float) -> Ids:
        """Forget the jobs that ended before a time; return their ids."""
        old = and_(job.c.status.not_in(OPEN), job.c.ended_at < before)
        with self._database.writing(EVERYONE) as connection:
            ids = [*connection.execute(select(job.c.id).where(old)).scalars()]
            connection.execute(delete(job_event).where(job_event.c.job_id.in_(ids)))
            connection.execute(delete(job).where(job.c.id.in_(ids)))
        return ids

    @contextmanager
    def _held(self, job_id: str, holder: str) -> Iterator[Connection | None]:
        """Write what is of a job that the holder works on; None where it is another's."""
        tenant = select(job.c.tenant).where(job.c.id == job_id)
        with self._database.reading(EVERYONE) as connection:
            found = connection.execute(tenant).scalars().all()
        mine = and_(job.c.id == job_id, job.c.holder == holder, job.c.status == JobStatus.RUNNING)
        with self._database.writing(found) as connection:
            is_mine = connection.execute(select(job.c.id).where(mine)).first() is not None
            yield connection if is_mine else None

"""Rows of the tables of jobs, read and changed within a transaction of `memory.offline.jobs`."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, and_, func, insert, select, update

from memory.errors import NotFoundError
from memory.offline.job import Job, JobEvent, JobStatus, NewEvent, Wish
from memory.store.schema import job, job_event
from memory.text import clean, clean_json

STOPPED: Mapping[JobStatus | None, str] = MappingProxyType(
    {
        JobStatus.CANCELLED: "The job was cancelled",
        JobStatus.PAUSED: "The job is paused until it is resumed",
    }
)


def wished(found: Job, wish: Wish, *, is_held: bool) -> dict[str, Any] | None:
    """Return what a wish changes, None where it cannot be fulfilled."""
    if wish is Wish.RESUME:
        if found.status is JobStatus.PAUSED:
            return {"status": JobStatus.QUEUED, "wanted": None}
        return {"wanted": None} if found.wanted is Wish.PAUSE else None
    if is_held:
        return {"wanted": Wish.CANCEL if found.wanted is Wish.CANCEL else wish}
    if wish is Wish.CANCEL:
        return {"status": JobStatus.CANCELLED, "ended_at": time.time(), "wanted": None}
    if found.status is JobStatus.PAUSED:
        return None
    return {"status": JobStatus.PAUSED, "wanted": None, "holder": None}


def ended_as(found: Job) -> str:
    """Return how a job ended, after "has"."""
    return "been cancelled" if found.status is JobStatus.CANCELLED else found.status


def latest_begun(connection: Connection, tenants: Collection[str]) -> dict[str, float]:
    """Return when somebody last began a job of each tenant."""
    begun = select(job.c.tenant, func.max(job.c.begun_at)).where(job.c.tenant.in_(tenants))
    rows = connection.execute(begun.group_by(job.c.tenant)).all()
    return {tenant: at or 0.0 for tenant, at in rows}


def add_events(connection: Connection, job_id: str, events: Sequence[NewEvent]) -> None:
    """Note what is to be told of a job."""
    now = time.time()
    rows = [
        {"job_id": job_id, "id": f"jobevent_{uuid4().hex}", "at": now, **event.model_dump()}
        | {"message": clean(event.message), "data": clean_json(event.data)}
        for event in events
    ]
    if rows:
        connection.execute(insert(job_event), rows)


def number_of_event(connection: Connection, job_id: str, event_id: str) -> int:
    """Return the place of an event; raises `NotFoundError`."""
    here = and_(job_event.c.job_id == job_id, job_event.c.id == event_id)
    number = connection.execute(select(job_event.c.number).where(here)).scalar()
    if number is None:
        raise NotFoundError(f"job {job_id} has no event {event_id}")
    return int(number)


def change(connection: Connection, job_id: str, **values: Any) -> None:
    """Change columns of a job, and tell of it where it stops."""
    connection.execute(update(job).where(job.c.id == job_id).values(**values))
    add_events(connection, job_id, _told_of(values.get("status"), values.get("error")))


def _told_of(status: JobStatus | None, error: str | None) -> Sequence[NewEvent]:
    """Return what whoever follows a job's events would else not learn from them."""
    if status is JobStatus.FAILED:
        return (NewEvent(level="error", message=error or "The job failed"),)
    return (NewEvent(message=STOPPED[status]),) if status in STOPPED else ()


def read_job(connection: Connection, job_id: str) -> Job:
    """Return a job that there is."""
    return job_of(connection.execute(select(job).where(job.c.id == job_id)).one())


def row_of(connection: Connection, tenant: str, job_id: str) -> Row[tuple[Any, ...]]:
    """Return a job's row; raises `NotFoundError`."""
    here = and_(job.c.id == job_id, job.c.tenant == tenant)
    row = connection.execute(select(job).where(here)).first()
    if row is None:
        raise NotFoundError(f"no job {job_id}")
    return row


def job_of(row: Row[tuple[Any, ...]]) -> Job:
    """Return the job in a row."""
    fields = {name: value for name, value in row._mapping.items() if name in Job.model_fields}
    return Job.model_validate(fields)


def event_of(row: Row[tuple[Any, ...]]) -> JobEvent:
    """Return the event in a row."""
    fields = {name: value for name, value in row._mapping.items() if name in JobEvent.model_fields}
    return JobEvent.model_validate(fields)

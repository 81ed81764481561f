"""Which adapter versions learned from a record, and which of them are retired.

Owns the table of retirements, and lineage read from the record's end.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update

from memory.errors import ConflictError
from memory.rows import moment
from memory.store.chunks import chunks
from memory.store.schema import (
    adapter,
    job,
    job_event,
    lineage,
    loose_artifact,
    record,
    release_step,
    retirement,
)
from memory.types import Retirement, State
from memory.versions.release import Stage, note_step, stage_of
from memory.versions.standing import OBJECTIONS

TELLING = ("tasks", "obstacle", "reasons", "doubts", OBJECTIONS)
"""What a generation's report says in the words of its records."""
GUARDS = "near_guards"
"""What of a report has figures, and the questions of records in other words as `lost`."""
AT_ONCE = 0.0
"""A time so long ago that files noted at it need not be kept."""
UNSAID = "why is not kept: the version is retired"


def learned_from(connection: Connection, record_id: str) -> list[str]:
    """Return the versions with a record in their lineage, or in that of what they continue."""
    first = select(lineage.c.adapter_id).where(lineage.c.record_id == record_id)
    known: list[str] = []
    found = list(connection.execute(first).scalars())
    while found:
        known += found
        later = select(adapter.c.id).where(adapter.c.parent.in_(found))
        found = [each for each in connection.execute(later).scalars() if each not in known]
    return known


def retire_row(connection: Connection, adapter_id: str, reason: str) -> None:
    """Note a version's end, which ends its release, and let what is told of it keep figures only.

    The first reason stays.

    Its files are loose from then on: of whatever is still shared of them, nothing stays.

    Other words of a record's question are in a report too, and are not found by the question.
    """
    here = retirement.c.adapter_id == adapter_id
    if connection.execute(select(retirement.c.at).where(here)).first() is not None:
        return
    connection.execute(
        insert(retirement).values(adapter_id=adapter_id, at=time.time(), reason=reason)
    )
    its_own = adapter.c.id == adapter_id
    row = connection.execute(select(adapter).where(its_own)).one()
    loose = {"tenant": row.tenant, "content_hash": row.content_hash, "at": AT_ONCE}
    connection.execute(insert(loose_artifact).values(id=adapter_id, **loose))
    rejected = None if row.rejected is None else UNSAID
    kept = {"metrics": _figures(row.metrics), "rejected": rejected}
    connection.execute(update(adapter).where(its_own).values(**kept))
    steps = update(release_step).where(release_step.c.adapter_id == adapter_id)
    connection.execute(steps.values(reason=UNSAID))
    if stage_of(connection, adapter_id) not in (None, Stage.BACK):
        note_step(connection, row.tenant, adapter_id, Stage.BACK, reason)


def hush_jobs(connection: Connection, tenant: str, adapter_ids: Collection[str]) -> None:
    """Let the results and logs of the jobs that made versions keep figures only."""
    its_own = (adapter.c.tenant == tenant) & adapter.c.id.in_(adapter_ids)
    made = connection.execute(select(adapter.c.metrics).where(its_own)).scalars()
    jobs = {metrics.get("job") for metrics in made}
    mine = (job.c.tenant == tenant) & job.c.result.is_not(None)
    for row in connection.execute(select(job.c.id, job.c.result).where(mine)).all():
        if row.id in jobs or row.result.get("adapter") in adapter_ids:
            here = update(job).where(job.c.id == row.id)
            connection.execute(here.values(result=_figures(row.result)))
            said = (job_event.c.job_id == row.id) & (job_event.c.type == "message")
            connection.execute(update(job_event).where(said).values(message=UNSAID, data=None))


def _figures(report: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in report.items() if name not in TELLING}
    if isinstance(guards := kept.get(GUARDS), Mapping):
        kept[GUARDS] = {**guards, "lost": []}
    return kept


def retirement_of(connection: Connection, adapter_id: str) -> Retirement | None:
    """Return a version's end, None where it has not come."""
    query = select(retirement).where(retirement.c.adapter_id == adapter_id)
    row = connection.execute(query).first()
    if row is None:
        return None
    return Retirement(at=moment(row.at), reason=row.reason, replaced_by=row.replaced_by)


def promoted_before(connection: Connection, tenant: str, base_model: str) -> list[Any]:
    """Return the versions for a base that may take a champion's place, newest first: rows.

    They passed the gate, are not retired, and learned from nothing that is erased.
    """
    erased = (
        select(lineage.c.adapter_id)
        .join(record, record.c.id == lineage.c.record_id)
        .where(record.c.state == State.ERASED)
    )
    gone = select(retirement.c.adapter_id)
    query = select(adapter).where(
        (adapter.c.tenant == tenant) & (adapter.c.base_model == base_model),
        adapter.c.rejected.is_(None),
        adapter.c.id.not_in(gone),
        adapter.c.id.not_in(erased),
        adapter.c.parent.is_(None) | adapter.c.parent.not_in(gone),
    )
    rows = connection.execute(query.order_by(adapter.c.created_at.desc())).mappings().all()
    served = select(release_step.c.adapter_id).where(release_step.c.stage == "all")
    once = set(connection.execute(served.where(release_step.c.tenant == tenant)).scalars())
    return [row for row in rows if row["id"] in once or _promoted(row["metrics"])]


def _promoted(metrics: Mapping[str, Any]) -> bool:
    return bool(metrics.get("decision", "promoted") == "promoted")


def registered(connection: Connection) -> set[str]:
    """Return the versions of all tenants whose weights are to be there."""
    gone = select(retirement.c.adapter_id)
    return set(connection.execute(select(adapter.c.id).where(adapter.c.id.not_in(gone))).scalars())


def refuse_erased(connection: Connection, tenant: str, record_ids: Collection[str]) -> None:
    """Raise `ConflictError` where one of the records was erased while it was learned from."""
    ids = list(dict.fromkeys(record_ids))
    mine = (record.c.tenant == tenant) & (record.c.state == State.ERASED)
    for some in chunks(ids):
        here = record.c.id.in_(some)
        erased = connection.execute(select(record.c.id).where(mine, here)).scalars().first()
        if erased is not None:
            raise ConflictError(f"{erased} was erased while it was learned from: train again")

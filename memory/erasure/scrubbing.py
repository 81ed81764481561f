"""Texts of an erased record in what jobs, evaluations, versions and clients note: their removal.

Owns which tables those are. An item of an evaluation that tells of the record goes as a whole, as a
line of a file does; of what else is kept, the text alone goes. A short text goes only where it is
all of a value: it may be part of much that is not of the record.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Table,
    Text,
    and_,
    cast,
    delete,
    or_,
    select,
    update,
)

from memory.erasure.blanking import LEAST_CHARS
from memory.offline.evaluation import OPEN as OPEN_RUNS
from memory.offline.evaluation import RunStatus
from memory.offline.job import OPEN as OPEN_JOBS
from memory.offline.job import JobKind, JobStatus, Wish
from memory.offline.job_rows import change
from memory.store.dialects import holding, inserting
from memory.store.schema import (
    adapter,
    batch,
    conversation,
    eval_output,
    eval_run,
    evaluation,
    file,
    job,
    job_event,
    lineage,
    record,
    release_step,
    schedule,
)
from memory.types import Record

SCRUBBED: Sequence[tuple[Table, Sequence[str]]] = (
    (evaluation, ("name", "details")),
    (eval_run, ("name", "details", "error")),
    (job, ("request", "result", "error")),
    (schedule, ("request",)),
    (adapter, ("metrics", "rejected")),
    (release_step, ("reason",)),
    (batch, ("details",)),
    (conversation, ("details",)),
    (file, ("name",)),
)
"""Tables of tenants, and what in them may quote a record without being found by its question."""
FINE_TUNED = (JobKind.FINE_TUNE, ("training_file", "validation_file"))
IMPORTED = (JobKind.IMPORT, ("file",))
"""Kinds of jobs that read files, and what names the files in a request."""


@dataclass(frozen=True)
class Texts:
    """What tells of a record."""

    whole: tuple[str, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the texts that are looked for within other texts, too."""
        return tuple(text for text in self.whole if len(text) >= LEAST_CHARS)

    def are_in(self, value: Any) -> bool:
        """Whether a JSON value holds one of them, as a key too."""
        return any(
            leaf in self.whole or any(part in leaf for part in self.parts)
            for leaf in _leaves(value)
        )

    def out_of(self, value: Any) -> Any:
        """Return a JSON value without them."""
        if isinstance(value, str):
            return self._out_of_text(value)
        if isinstance(value, Mapping):
            return self._out_of_object(value)
        return [self.out_of(each) for each in value] if isinstance(value, list) else value

    def _out_of_text(self, text: str) -> str:
        if text in self.whole:
            return ""
        for part in self.parts:
            text = text.replace(part, "")
        return text

    def _out_of_object(self, value: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, given in value.items():
            name, new = self._out_of_text(key), self.out_of(given)
            is_count = isinstance(new, int) and isinstance(found.get(name), int)
            found[name] = found[name] + new if is_count else new
        return found


def texts_of(connection: Connection, tenant: str, of: Record, ids: Sequence[str]) -> Texts:
    """Return what tells of a record: its texts, its task where no other has it, and the ids."""
    texts = [of.question] if of.question.strip() else []
    texts += [of.rationale] if len(of.rationale) >= LEAST_CHARS else []
    if of.task:
        others = and_(record.c.tenant == tenant, record.c.task == of.task, record.c.id != of.id)
        is_shared = connection.execute(select(record.c.id).where(others).limit(1)).first()
        texts += [] if is_shared else [of.task]
    return Texts(tuple(dict.fromkeys([*texts, *ids])))


def scrub(
    connection: Connection, tenant: str, texts: Texts, record_id: str, files: Collection[str]
) -> dict[str, int]:
    """Take a record's texts out of a tenant's jobs, evaluations and versions; return how often.

    `files` are those that lines were taken out of. What works on them is ended, and what was
    fine-tuned on them has learned from the record.
    """
    if not texts.whole:
        return {}
    counts = {
        "learned_from_files": _note_learned(connection, tenant, record_id, files),
        "jobs_ended": _end_jobs(connection, tenant, files),
        "runs_ended": _end_runs(connection, tenant, texts, files),
        "eval_outputs": _drop_outputs(connection, tenant, texts),
        "eval_items": _empty_items(connection, tenant, texts),
        "event_texts": _of_children(connection, tenant, texts),
    }
    for table, names in SCRUBBED:
        counts[f"{table.name}_texts"] = _in_table(
            connection, table, names, table.c.tenant == tenant, texts
        )
    return {name: count for name, count in counts.items() if count}


def _note_learned(
    connection: Connection, tenant: str, record_id: str, files: Collection[str]
) -> int:
    """Put the record into the lineage of what was fine-tuned on files."""
    jobs = {row.id for row in _jobs_on(connection, tenant, files, FINE_TUNED)}
    versions = select(adapter.c.id, adapter.c.metrics).where(adapter.c.tenant == tenant)
    rows = [
        {"adapter_id": row.id, "record_id": record_id}
        for row in connection.execute(versions)
        if row.metrics.get("job") in jobs
    ]
    if rows:
        new = inserting(connection, lineage).on_conflict_do_nothing()
        connection.execute(new, rows)
    return len(rows)


def _end_jobs(connection: Connection, tenant: str, files: Collection[str]) -> int:
    """Cancel what has read files or is to be trained on them; an import that waits may read them.

    A job that has begun works on a copy, which goes with the job.
    """
    found = [
        *_jobs_on(connection, tenant, files, FINE_TUNED),
        *(row for row in _jobs_on(connection, tenant, files, IMPORTED) if row.started_at),
    ]
    is_open = [row for row in found if row.status in OPEN_JOBS]
    for row in is_open:
        ended = {"status": JobStatus.CANCELLED, "ended_at": time.time()}
        wanted = {"wanted": Wish.CANCEL}
        change(connection, row.id, **wanted if row.status == JobStatus.RUNNING else ended)
    return len(is_open)


def _jobs_on(
    connection: Connection, tenant: str, files: Collection[str], read: tuple[JobKind, Sequence[str]]
) -> list[Any]:
    """Return rows of the jobs of a kind whose requests name one of the files."""
    kind, names = read
    columns = select(job.c.id, job.c.status, job.c.request, job.c.started_at)
    rows = connection.execute(columns.where(job.c.tenant == tenant, job.c.kind == kind))
    return [row for row in rows if {row.request.get(name) for name in names} & set(files)]


def _end_runs(connection: Connection, tenant: str, texts: Texts, files: Collection[str]) -> int:
    """Cancel the runs under way that are asked the record: their workers know its text."""
    mine = and_(eval_run.c.tenant == tenant, eval_run.c.status.in_(OPEN_RUNS))
    found = 0
    for row in connection.execute(select(eval_run.c.id, eval_run.c.details).where(mine)).all():
        source = row.details["source"].get("source", {})
        if source.get("id") in files or texts.are_in(source):
            here = update(eval_run).where(eval_run.c.id == row.id)
            connection.execute(here.values(status=RunStatus.CANCELED, holder=None))
            found += 1
    return found


def _drop_outputs(connection: Connection, tenant: str, texts: Texts) -> int:
    runs = select(eval_run.c.id).where(eval_run.c.tenant == tenant)
    mine = and_(eval_output.c.run_id.in_(runs), _may_hold([eval_output.c.content], texts))
    query = select(eval_output.c.id, eval_output.c.content).where(mine)
    gone = [row.id for row in connection.execute(query).all() if texts.are_in(row.content)]
    for output_id in gone:
        connection.execute(delete(eval_output).where(eval_output.c.id == output_id))
    return len(gone)


def _empty_items(connection: Connection, tenant: str, texts: Texts) -> int:
    """Empty the items in runs' own requests; the others keep their places."""
    mine = and_(eval_run.c.tenant == tenant, _may_hold([eval_run.c.details], texts))
    count = 0
    for row in connection.execute(select(eval_run.c.id, eval_run.c.details).where(mine)).all():
        items = row.details["source"].get("source", {}).get("content", [])
        places = [place for place, item in enumerate(items) if texts.are_in(item)]
        for place in places:
            items[place] = {"item": {}}
        if places:
            here = update(eval_run).where(eval_run.c.id == row.id)
            connection.execute(here.values(details=row.details))
        count += len(places)
    return count


def _of_children(connection: Connection, tenant: str, texts: Texts) -> int:
    jobs = select(job.c.id).where(job.c.tenant == tenant)
    mine = job_event.c.job_id.in_(jobs)
    return _in_table(connection, job_event, ("message", "data"), mine, texts)


def _in_table(
    connection: Connection,
    table: Table,
    names: Sequence[str],
    mine: ColumnElement[bool],
    texts: Texts,
) -> int:
    columns = [table.c[name] for name in names]
    (key,) = table.primary_key.columns
    query = select(key.label("key"), *columns).where(mine, _may_hold(columns, texts))
    count = 0
    for row in connection.execute(query).all():
        given = {name: row._mapping[name] for name in names}
        changed = {n: texts.out_of(v) for n, v in given.items() if texts.are_in(v)}
        if changed:
            connection.execute(update(table).where(key == row.key).values(**changed))
            count += 1
    return count


def _may_hold(columns: Sequence[Column[Any]], texts: Texts) -> ColumnElement[bool]:
    """Rows that hold the letters of a text, as JSON has them where a column is JSON."""
    return or_(
        *(
            holding(cast(column, Text), json.dumps(text)[1:-1])
            if isinstance(column.type, JSON)
            else holding(column, text)
            for column in columns
            for text in texts.whole
        )
    )


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from value
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)

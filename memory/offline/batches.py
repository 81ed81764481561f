"""Batches: many requests of one file, answered while nobody waits.

Owns the tables of batches and of their answers. Knows neither what is asked nor who answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias
from uuid import uuid4

from sqlalchemy import Connection, Row, and_, delete, insert, select, update

from memory.errors import ConflictError, NotFoundError
from memory.history.files import NewFile, StoredFile, found_file, write_file
from memory.offline.batch import OPEN, Answer, Batch, NewBatch, Status
from memory.offline.turns import next_in_turn
from memory.paging import place_of
from memory.store.database import Database
from memory.store.schema import batch, batch_answer
from memory.store.scope import EVERYONE

HELD_S = 60.0
"""A worker of a batch says so more often; after this, another may go on with it."""
OUTPUT = "batch_output"
"""The purpose of the files that come of a batch."""
Batches: TypeAlias = "list[Batch]"  # inside the class, `list` is a method
Check: TypeAlias = Callable[[StoredFile], object]
"""Raises what is wrong with a batch's input."""


def any_file(file: StoredFile) -> None:
    """Take any file."""


class BatchStore:
    """The batches of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, new: NewBatch, most_open: int, check: Check = any_file) -> Batch:
        """Remember a batch; raises `NotFoundError` without its file, and what `check` raises of it.

        Raises `ConflictError` where the tenant has `most_open` that are not done.
        """
        now = time.time()
        values = new.model_dump(mode="json", exclude={"seconds"}) | {
            "id": f"batch_{uuid4().hex}",
            "status": Status.VALIDATING,
            "moments": {Status.VALIDATING: now},
            "expires_at": now + new.seconds,
        }
        counts = {"total": 0, "completed": 0, "failed": 0, "held_until": 0.0}
        with self._database.writing(new.tenant) as connection:
            check(found_file(connection, new.tenant, new.input_file_id))
            mine = and_(batch.c.tenant == new.tenant, batch.c.status.in_(OPEN))
            if len(connection.execute(select(batch.c.id).where(mine)).all()) >= most_open:
                raise ConflictError(
                    f"{most_open} batches are at work, the most at a time: wait for one to end"
                )
            connection.execute(insert(batch).values(values | counts))
        return Batch.model_validate(values)

    def get(self, tenant: str, batch_id: str) -> Batch:
        """Return a batch; raises `NotFoundError`."""
        with self._database.reading(tenant) as connection:
            return _batch(_row(connection, tenant, batch_id))

    def list(self, tenant: str, limit: int, after: str | None = None) -> Batches:
        """Return a tenant's batches, newest first; those that come `after` one of that id."""
        wanted = batch.c.tenant == tenant
        with self._database.reading(tenant) as connection:
            if after is not None:
                place = place_of(_row, connection, tenant, after).number
                wanted = and_(wanted, batch.c.number < place)
            newest = select(batch).where(wanted).order_by(batch.c.number.desc()).limit(limit)
            return [_batch(row) for row in connection.execute(newest)]

    def cancel(self, tenant: str, batch_id: str) -> Batch:
        """Have a batch end with what is answered, at once where nobody works on it.

        Raises `NotFoundError` and `ConflictError`.
        """
        with self._database.writing(tenant) as connection:
            row = _row(connection, tenant, batch_id)
            found = _batch(row)
            if found.status not in OPEN:
                raise ConflictError(f"batch {batch_id} is {found.status} already")
            if found.status is not Status.CANCELLING:
                found = _move(connection, found, Status.CANCELLING)
            if row.holder is None or row.held_until <= time.time():
                found = _end(connection, found, Status.CANCELLED)
            return found

    # What follows is for whoever works on batches: it is of all tenants.

    def claim(self, holder: str, but_of: Collection[str] = ()) -> Batch | None:
        """Return the oldest batch that waits for somebody, now held; None where there is none.

        Of each tenant one is worked on at a time, and none of the tenants `but_of`. The tenant
        whose batch was let go longest ago, or never held, comes first.
        """
        now = time.time()
        open_ones = select(batch).where(batch.c.status.in_(OPEN)).order_by(batch.c.number)
        with self._database.writing(EVERYONE) as connection:
            row = next_in_turn(connection.execute(open_ones), holder, now, but_of)
            if row is None:
                return None
            _change(connection, row.id, holder=holder, held_until=now + HELD_S)
            return _batch(row)

    def hold(self, batch_id: str, holder: str) -> Batch | None:
        """Say that the holder is still at work, and return the batch.

        None where it is another's by now, or has ended.
        """
        with self._writing(batch_id) as connection:
            row = _held(connection, batch_id, holder)
            if row is None:
                return None
            _change(connection, batch_id, held_until=time.time() + HELD_S)
            return _batch(row)

    def let_go(self, holder: str, batch_id: str | None = None) -> None:
        """Have others go on at once with what the holder works on, or with one batch of it."""
        mine, of_all = batch.c.holder == holder, self._database.writing(EVERYONE)
        if batch_id is not None:
            mine = and_(mine, batch.c.id == batch_id)
        with of_all if batch_id is None else self._writing(batch_id) as connection:
            free = {"holder": None, "held_until": time.time()}
            connection.execute(update(batch).where(mine).values(**free))

    def begin(self, batch_id: str, total: int) -> Batch:
        """Note that the input is as it should be, and has so many requests."""
        with self._writing(batch_id) as connection:
            found = _own(connection, batch_id)
            if found.status is not Status.VALIDATING:
                return found
            _change(connection, batch_id, total=total)
            return _move(connection, found, Status.IN_PROGRESS)

    def answered(self, batch_id: str) -> set[int]:
        """Return the lines that have been answered."""
        with self._database.reading(EVERYONE) as connection:
            lines = select(batch_answer.c.line).where(batch_answer.c.batch_id == batch_id)
            return set(connection.execute(lines).scalars())

    def note(self, batch_id: str, holder: str, answers: Sequence[Answer]) -> None:
        """Keep what requests were answered; a second answer to one is not kept.

        Nor is any where the batch is another's by now, or has ended.
        """
        with self._writing(batch_id) as connection:
            if _held(connection, batch_id, holder) is None:
                return
            known = _answered(connection, batch_id, [answer.line for answer in answers])
            new = [answer for answer in answers if answer.line not in known]
            if not new:
                return
            rows = [{"batch_id": batch_id, **answer.model_dump()} for answer in new]
            connection.execute(insert(batch_answer), rows)
            failed = sum(answer.failed for answer in new)
            _change(
                connection,
                batch_id,
                failed=batch.c.failed + failed,
                completed=batch.c.completed + len(new) - failed,
            )

    def end(
        self, batch_id: str, holder: str, status: Status, errors: Sequence[dict[str, Any]] = ()
    ) -> Batch | None:
        """Make files of what was answered, in the order of the input, and end the batch.

        `errors` say what is wrong with the input. None where the batch is another's by now.
        """
        with self._writing(batch_id) as connection:
            row = _held(connection, batch_id, holder)
            return None if row is None else _end(connection, _batch(row), status, errors)

    def drop_ended(self, before: float) -> None:
        """Forget the batches that were made before a time and have ended; their files stay."""
        with self._database.writing(EVERYONE) as connection:
            ended = batch.c.status.not_in(OPEN)
            old = and_(ended, batch.c.expires_at < before)
            connection.execute(delete(batch).where(old))

    @contextmanager
    def _writing(self, batch_id: str) -> Iterator[Connection]:
        """Write what is of a batch, while none but its tenant's other writers wait."""
        tenant = select(batch.c.tenant).where(batch.c.id == batch_id)
        with self._database.reading(EVERYONE) as connection:
            found = connection.execute(tenant).scalars().all()
        with self._database.writing(found) as connection:
            yield connection


def _end(
    connection: Connection, found: Batch, status: Status, errors: Sequence[dict[str, Any]] = ()
) -> Batch:
    found = _move(connection, found, Status.FINALIZING)
    made = {
        "output_file_id": _file_of(connection, found, failed=False),
        "error_file_id": _file_of(connection, found, failed=True),
        "errors": list(errors),
    }
    connection.execute(delete(batch_answer).where(batch_answer.c.batch_id == found.id))
    return _move(connection, found, status, **made)


def _held(connection: Connection, batch_id: str, holder: str) -> Row[tuple[Any, ...]] | None:
    """Return an open batch that the holder works on."""
    mine = and_(batch.c.id == batch_id, batch.c.holder == holder, batch.c.status.in_(OPEN))
    return connection.execute(select(batch).where(mine)).first()


def _answered(connection: Connection, batch_id: str, lines: Sequence[int]) -> set[int]:
    here = and_(batch_answer.c.batch_id == batch_id, batch_answer.c.line.in_(lines))
    return set(connection.execute(select(batch_answer.c.line).where(here)).scalars())


def _file_of(connection: Connection, found: Batch, *, failed: bool) -> str | None:
    """Write the file of answers, or of errors; None where there would be nothing in it."""
    mine = and_(batch_answer.c.batch_id == found.id, batch_answer.c.failed.is_(failed))
    lines = select(batch_answer.c.content).where(mine).order_by(batch_answer.c.line)

    def content() -> Iterator[bytes]:
        for line in connection.execute(lines.execution_options(yield_per=100)).scalars():
            yield bytes(line) + b"\n"

    if connection.execute(lines.limit(1)).first() is None:
        return None
    kept_s = found.details.output_expires_s
    new = NewFile(
        tenant=found.tenant,
        name=f"{found.id}_{'errors' if failed else 'output'}.jsonl",
        purpose=OUTPUT,
        expires_at=None if kept_s is None else time.time() + kept_s,
    )
    return write_file(connection, new, content()).id


def _move(connection: Connection, found: Batch, to: Status, **details: Any) -> Batch:
    told = {key: value for key, value in details.items() if value is not None}
    _change(
        connection,
        found.id,
        status=to,
        moments={**found.moments, to: time.time()},
        details=found.details.model_copy(update=told).model_dump(mode="json"),
    )
    return _own(connection, found.id)


def _change(connection: Connection, batch_id: str, **values: Any) -> None:
    connection.execute(update(batch).where(batch.c.id == batch_id).values(**values))


def _own(connection: Connection, batch_id: str) -> Batch:
    """Return the batch that whoever asks works on."""
    return _batch(connection.execute(select(batch).where(batch.c.id == batch_id)).one())


def _row(connection: Connection, tenant: str, batch_id: str) -> Row[tuple[Any, ...]]:
    here = and_(batch.c.id == batch_id, batch.c.tenant == tenant)
    row = connection.execute(select(batch).where(here)).first()
    if row is None:
        raise NotFoundError(f"no batch {batch_id}")
    return row


def _batch(row: Row[tuple[Any, ...]]) -> Batch:
    fields = dict(row._mapping)
    for name in ("number", "holder", "held_until"):
        del fields[name]
    return Batch.model_validate(fields)

"""Notes on tries that failed, by tenant and task: what the next requests of a task should know.

Owns the table of notes, which is bounded in number and in time: of a task the latest few are kept,
of a tenant those of its latest tasks, of all of them what is an hour old at most. Knows nothing of
who writes a note, and of what it says only which question it is about, so that an erasure finds it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select

from memory.store.database import Database
from memory.store.schema import note
from memory.store.scope import EVERYONE
from memory.text import clean, trace

MOST_NOTES = 3
"""Most notes of a task."""
MOST_TASKS = 1_000
"""Most tasks of a tenant that have notes."""
MOST_CHARS = 4_000
"""Most characters of a note."""
LASTS_S = 3_600.0


class NoteStore:
    """The notes of all tenants."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives Unix seconds: notes outlive the process."""
        self._database = database
        self._clock = clock

    def of(self, tenant: str, task: str) -> tuple[str, ...]:
        """Return the latest notes of a task, the oldest first."""
        fresh = note.c.at > self._clock() - LASTS_S
        latest = select(note.c.text).where(_of_task(tenant, task), fresh)
        latest = latest.order_by(note.c.number.desc()).limit(MOST_NOTES)
        with self._database.reading(tenant) as connection:
            return tuple(reversed(connection.execute(latest).scalars().all()))

    def add(self, tenant: str, task: str, question: str, texts: Sequence[str]) -> None:
        """Keep notes on tries at a question, in place of the oldest where there are too many."""
        if not texts:
            return
        about = {"tenant": tenant, "task": task, "trace": trace(question), "at": self._clock()}
        rows = [{**about, "text": clean(text)[:MOST_CHARS]} for text in texts[-MOST_NOTES:]]
        with self._database.writing(tenant) as connection:
            connection.execute(insert(note), rows)
            _keep_latest(connection, tenant, task)

    def drop_expired(self) -> None:
        """Delete the notes of all tenants that are too old to be read."""
        with self._database.writing(EVERYONE) as connection:
            connection.execute(delete(note).where(note.c.at <= self._clock() - LASTS_S))


def erase_notes(connection: Connection, tenant: str, question: str) -> int:
    """Erase the notes on tries at a question, and those that quote it; return how many."""
    about = note.c.trace == trace(question)
    if question.strip():
        quoting = (each.contains(question, autoescape=True) for each in (note.c.text, note.c.task))
        about = or_(about, *quoting)
    return connection.execute(delete(note).where(note.c.tenant == tenant, about)).rowcount


def _keep_latest(connection: Connection, tenant: str, task: str) -> None:
    mine = _of_task(tenant, task)
    latest = select(note.c.number).where(mine).order_by(note.c.number.desc()).limit(MOST_NOTES)
    kept = connection.execute(latest).scalars().all()
    connection.execute(delete(note).where(mine, note.c.number < min(kept)))
    newest = func.max(note.c.number)
    tasks = select(note.c.task).where(note.c.tenant == tenant).group_by(note.c.task)
    forgotten = tasks.order_by(newest.desc()).offset(MOST_TASKS)
    for each in connection.execute(forgotten).scalars().all():
        connection.execute(delete(note).where(_of_task(tenant, each)))


def _of_task(tenant: str, task: str) -> ColumnElement[bool]:
    return and_(note.c.tenant == tenant, note.c.task == task)

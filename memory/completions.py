"""The log of what was answered, so that later feedback can find it.

A completion must not cost its request a commit: `append` queues, one background thread writes many
at once. What is lost in a crash or on a full disk is a chance for feedback, never an answer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from memory.database import Database
from memory.errors import NotFoundError, StorageUnavailableError
from memory.rows import completion_of, completion_row
from memory.schema import completion
from memory.types import Completion

log = logging.getLogger(__name__)

GROUP = 256
"""Completions per commit."""
LINGER_S = 1.0
"""How long the writer lets a group gather: its work competes with requests for the interpreter, and
nobody waits for it. A crash loses the chance for feedback on the last second's answers."""
PRUNE_EVERY_S = 3600.0

Key = tuple[str, str]  # tenant, completion id


class CompletionLog:
    """Completions of all tenants, newest in memory, the rest in the database."""

    def __init__(
        self, database: Database, *, retention_days: float = 30.0, capacity: int = 10_000
    ) -> None:
        self._database = database
        self._retention_s = retention_days * 86_400
        self._capacity = capacity
        self._waiting: dict[Key, Completion] = {}
        self._writing: dict[Key, Completion] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._hurried = False
        """Somebody waits in `flush`."""
        self._healthy = True
        self._next_prune = time.monotonic()

    def append(self, item: Completion) -> None:
        """Queue a completion; never blocks on the database and never fails the caller.

        A full queue drops it.
        """
        dated = item.model_copy(update={"created_at": item.created_at or datetime.now(UTC)})
        with self._changed:
            if self._closed or len(self._waiting) >= self._capacity:
                self._complain("the queue is full")
                return
            self._waiting[item.tenant, item.id] = dated
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="completions", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def get(self, tenant: str, completion_id: str) -> Completion:
        """Return a completion, written or still queued; `NotFoundError` otherwise."""
        key = (tenant, completion_id)
        with self._changed:
            queued = self._waiting.get(key) or self._writing.get(key)
        if queued is not None:
            return queued
        with self._database.reading() as connection:
            row = connection.execute(select(completion).where(_is(key))).mappings().first()
        if row is None:
            raise NotFoundError(f"no completion {completion_id}")
        return completion_of(row)

    def link_record(self, tenant: str, completion_id: str, record_id: str) -> None:
        """Note which record a completion became; a completion nobody has is ignored."""
        key = (tenant, completion_id)
        with self._changed:
            queued = self._waiting.get(key)
            if queued is not None:
                self._waiting[key] = queued.model_copy(update={"record_id": record_id})
                return
            self._changed.wait_for(lambda: key not in self._writing)
        with self._database.writing() as connection:
            connection.execute(update(completion).where(_is(key)).values(record_id=record_id))

    def feedback(self, tenant: str, completion_id: str) -> Mapping[str, Any] | None:
        """Return the feedback noted last for a completion, None before the first."""
        with self._database.reading() as connection:
            query = select(completion.c.feedback).where(_is((tenant, completion_id)))
            noted: Mapping[str, Any] | None = connection.execute(query).scalar()
            return noted

    def note_feedback(self, tenant: str, completion_id: str, feedback: Mapping[str, Any]) -> None:
        """Note feedback, so that repeating it can be told from changing it."""
        self.flush()
        here = _is((tenant, completion_id))
        with self._database.writing() as connection:
            connection.execute(update(completion).where(here).values(feedback=dict(feedback)))

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Wait until all that was appended is written or dropped; False on a timeout."""
        with self._changed:
            self._hurried = True
            self._changed.notify_all()
            return self._changed.wait_for(
                lambda: not self._waiting and not self._writing, timeout_s
            )

    def prune(self) -> int:
        """Delete completions older than the retention; return how many there were."""
        old = completion.c.created_at < time.time() - self._retention_s
        with self._database.writing() as connection:
            return connection.execute(delete(completion).where(old)).rowcount

    def close(self) -> None:
        """Write what is queued and stop the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while self._take():
            self._write()

    def _take(self) -> bool:
        """Move a group from waiting to writing; False once closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._closed:
                self._changed.wait_for(
                    lambda: self._closed or self._hurried or len(self._waiting) >= GROUP, LINGER_S
                )
            self._hurried = False
            for key in list(self._waiting)[:GROUP]:
                self._writing[key] = self._waiting.pop(key)
            return bool(self._writing)

    def _write(self) -> None:
        try:
            with self._database.writing() as connection:
                for item in self._writing.values():
                    _upsert(connection, item)
            if time.monotonic() >= self._next_prune:
                self._next_prune = time.monotonic() + PRUNE_EVERY_S
                self.prune()
            self._healthy = True
        except StorageUnavailableError as error:
            self._complain(str(error))
        finally:
            with self._changed:
                self._writing.clear()
                self._changed.notify_all()

    def _complain(self, reason: str) -> None:
        """Say once per outage that completions are dropped."""
        if self._healthy:
            log.error("completions are not kept, feedback on them will fail: %s", reason)
        self._healthy = False


def _is(key: Key) -> Any:
    tenant, completion_id = key
    return (completion.c.tenant == tenant) & (completion.c.id == completion_id)


def _upsert(connection: Connection, item: Completion) -> None:
    row = completion_row(item)
    values = {name: row[name] for name in row if name not in ("tenant", "id")}
    statement = insert(completion).values(**row)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["tenant", "id"], set_=values)
    )

"""The log of what was answered, so that later feedback can find it.

A completion must not cost its request a commit: `append` queues, one background thread writes many
at once, and tries again where the storage fails. What is lost in a crash or on a full disk is a
chance for feedback, never an answer.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from memory.erasure.unerased import unerased
from memory.errors import NotFoundError, StorageUnavailableError
from memory.history.ledger import write_trials
from memory.history.request_traces import write_traces
from memory.history.retention import Hourly, Retention
from memory.rows import completion_of, completion_row, size_of
from memory.store.database import Database
from memory.store.schema import completion, request_trace, trial
from memory.store.scope import EVERYONE
from memory.store.upsert import upsert
from memory.text import folded
from memory.types import Completion, Record

log = logging.getLogger(__name__)

GROUP = 256
"""Completions per commit."""
LINGER_S = 1.0
"""How long the writer lets a group gather: its work competes with requests for the interpreter, and
nobody waits for it. A crash loses the chance for feedback on the last second's answers."""
TRIES = 3
PAUSE_S = 1.0
"""Before a group is tried again; doubled each time. Nobody waits for it unless somebody flushes."""
MAX_QUEUED_CHARACTERS = 64 * 2**20
"""Most characters of all completions that wait to be written."""
ERASE_WAIT_S = 20.0
"""For a group under way: longer than the database waits for its lock."""

Key = tuple[str, str]  # tenant, completion id


class CompletionLog:
    """Completions of all tenants, newest in memory, the rest in the database."""

    def __init__(
        self,
        database: Database,
        *,
        retention_days: float = 30.0,
        capacity: int = 10_000,
        retention: Retention | None = None,
        trace_rows: int = 1_000,
    ) -> None:
        """`trace_rows` are the traces that each tenant keeps."""
        self._database = database
        self._trace_rows = trace_rows
        self._retention = retention or Retention(retention_days)
        self._capacity = capacity
        self._characters = 0
        self._waiting: dict[Key, Completion] = {}
        self._writing: dict[Key, Completion] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._committing = False
        self._erasing: list[tuple[str, Record]] = []
        """What is being erased: nothing of it is queued meanwhile."""
        self._own: set[str] = set()
        """What was erased here; see `memory.erasure.unerased`."""
        self._hurried = False
        """Somebody waits in `flush`."""
        self._healthy = True
        self._pruning = Hourly("old completions", lambda: self.prune())

    def append(self, item: Completion) -> None:
        """Queue a completion; never blocks on the database and never fails the caller.

        A full queue drops it.
        """
        dated = item.model_copy(update={"created_at": item.created_at or datetime.now(UTC)})
        with self._changed:
            if self._closed or not self._has_room(item):
                self._complain("the queue is full")
                return
            if any(_tells_of(item, tenant, record) for tenant, record in self._erasing):
                return
            self._waiting[item.tenant, item.id] = dated
            self._characters += size_of(item)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="completions", daemon=True)
                self._thread.start()
            if len(self._waiting) in (1, GROUP):  # the writer's thread waits for these alone
                self._changed.notify_all()

    def _has_room(self, item: Completion) -> bool:
        fits = self._characters + size_of(item) <= MAX_QUEUED_CHARACTERS
        return fits and len(self._waiting) + len(self._writing) < self._capacity

    def get(self, tenant: str, completion_id: str) -> Completion:
        """Return a completion, written or still queued; `NotFoundError` otherwise."""
        key = (tenant, completion_id)
        with self._changed:
            queued = self._waiting.get(key) or self._writing.get(key)
        if queued is not None:
            return queued
        with self._database.reading(tenant) as connection:
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
        with self._database.writing(tenant) as connection:
            connection.execute(update(completion).where(_is(key)).values(record_id=record_id))

    def feedback(self, tenant: str, completion_id: str) -> Mapping[str, Any] | None:
        """Return the feedback noted last for a completion, None before the first."""
        with self._database.reading(tenant) as connection:
            query = select(completion.c.feedback).where(_is((tenant, completion_id)))
            noted: Mapping[str, Any] | None = connection.execute(query).scalar()
            return noted

    def note_feedback(self, tenant: str, completion_id: str, feedback: Mapping[str, Any]) -> None:
        """Note feedback, so that repeating it can be told from changing it."""
        if not self.flush():
            raise StorageUnavailableError("the database is not written: try again later")
        here = _is((tenant, completion_id))
        with self._database.writing(tenant) as connection:
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
        """Delete completions older than the retention; return how many there were.

        Nothing is deleted by a clock that is not to be believed: see `Retention`.
        """
        old = completion.c.created_at < self._retention.cutoff()
        with self._database.writing(EVERYONE) as connection:
            total = connection.execute(select(func.count()).select_from(completion)).scalar_one()
            found = select(func.count()).select_from(completion).where(old)
            if not self._retention.allows(connection.execute(found).scalar_one(), total):
                return 0
            cutoff = self._retention.cutoff()
            connection.execute(delete(trial).where(trial.c.at < cutoff))
            connection.execute(delete(request_trace).where(request_trace.c.at < cutoff))
            return connection.execute(delete(completion).where(old)).rowcount

    @contextmanager
    def withheld(self, tenant: str, record: Record) -> Iterator[None]:
        """Erase `record` in the block: nothing queued of its question is written then or later.

        What was queued stays so where the block fails. Raises `StorageUnavailableError` where a
        group that holds some of it is still being written.
        """
        erased = (tenant, record)
        with self._changed:
            if not self._changed.wait_for(lambda: not self._committing, ERASE_WAIT_S):
                raise StorageUnavailableError(
                    "nothing was erased: the database does not answer, try again"
                )
            self._erasing.append(erased)
            self._own.add(record.id)
            held = [self._taken(queue, *erased) for queue in (self._waiting, self._writing)]
        try:
            yield
        except BaseException:
            with self._changed:
                for queue in held:
                    self._waiting |= queue
                self._changed.notify_all()
            raise
        finally:
            with self._changed:
                self._erasing.remove(erased)

    def _taken(
        self, queue: dict[Key, Completion], tenant: str, record: Record
    ) -> dict[Key, Completion]:
        meant = [key for key, item in queue.items() if _tells_of(item, tenant, record)]
        return {key: queue.pop(key) for key in meant}

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
            for attempt in range(TRIES):
                if self._try(list(self._writing)) or self._closed:
                    break
                self._pause(PAUSE_S * 2**attempt)
            self._pruning.look()
        finally:
            with self._changed:
                self._writing.clear()
                self._characters = sum(map(size_of, self._waiting.values()))
                self._changed.notify_all()

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._hurried, seconds)

    def _try(self, keys: Sequence[Key]) -> bool:
        """Write what is still to be written of `keys`; False where another try may help."""
        try:
            self._commit(keys)
            self._healthy = True
        except StorageUnavailableError as error:
            self._complain(str(error))
            return False
        except Exception:  # the thread's boundary: one completion must not cost the others
            if len(keys) > 1:
                tried = [self._try([key]) for key in keys]
                return all(tried)
            log.exception("a completion cannot be written: feedback on it will fail")
        return True

    def _commit(self, keys: Sequence[Key]) -> None:
        with self._changed:
            self._committing = True
            items = [self._writing[key] for key in keys if key in self._writing]
        try:
            with self._database.writing({item.tenant for item in items}) as connection:
                _write(connection, unerased(connection, items, self._own), self._trace_rows)
        finally:
            with self._changed:
                self._committing = False
                self._changed.notify_all()

    def _complain(self, reason: str) -> None:
        """Say once per outage that completions are dropped."""
        if self._healthy:
            log.error("completions are not kept, feedback on them will fail: %s", reason)
        self._healthy = False


def _is(key: Key) -> Any:
    tenant, completion_id = key
    return (completion.c.tenant == tenant) & (completion.c.id == completion_id)


def _tells_of(item: Completion, tenant: str, record: Record) -> bool:
    """Whether a completion is of a record, or of a conversation in which its question was asked."""
    if item.tenant != tenant:
        return False
    question = folded(record.question)
    asked = (folded(message.content) for message in item.messages)
    return item.record_id == record.id or bool(question and question in asked)


def _write(connection: Connection, items: Sequence[Completion], trace_rows: int) -> None:
    upsert(connection, completion, ("tenant", "id"), *map(completion_row, items))
    write_trials(connection, *[trial for item in items for trial in item.trials])
    write_traces(connection, items, trace_rows)

"""Forgetting one record: what has to go, in the order that a kill at any point leaves repeatable.

Owns that order. While it is still known what the record said, it is taken out of files; then its
content, vectors and completions go in one transaction; then the copies that lie beside the
database.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from sqlalchemy import Connection, and_, select

from memory.erasure.blanking import blank, signs_of
from memory.erasure.erasures import ErasureStore, Witness, note_removed
from memory.erasure.scrubbing import scrub, texts_of
from memory.errors import StorageUnavailableError
from memory.history.completions import CompletionLog
from memory.history.files import FileStore
from memory.history.responses import ResponseStore
from memory.index.cache import IndexCache
from memory.newcomers import Entry
from memory.record_queries import completions_of, records_alike
from memory.records import RecordStore
from memory.store.database import Database
from memory.store.group_commit import GroupCommit
from memory.store.schema import erasure
from memory.text import folded
from memory.types import Record, Saved, State, question_of

ERASED_MEANWHILE = "its question was erased meanwhile"
READ_S = 3_600.0
"""Seconds after an erasure in which what somebody was reading meanwhile is wiped again."""


class Forgetting:
    """Erases records wherever the memory holds them."""

    def __init__(
        self,
        database: Database,
        records: RecordStore,
        completions: CompletionLog,
        responses: ResponseStore,
        files: FileStore,
        indexes: IndexCache,
        saver: GroupCommit[Entry, Saved],
    ) -> None:
        self.erasures = ErasureStore(database)
        self._database = database
        self._records = records
        self._completions = completions
        self._responses = responses
        self._files = files
        self._indexes = indexes
        self._saver = saver

    def forget(self, tenant: str, record_id: str, witness: Witness | None) -> Record:
        """Erase a record, or end what was begun; return its tombstone.

        Raises `StorageUnavailableError` where something of it may be left.
        """
        record = self._records.get(tenant, record_id)
        with self._completions.withheld(tenant, record):
            self.erasures.begin(tenant, record, witness)
            self._take_out_of_files(tenant, record)
            self._saver.refuse(partial(_asks, record), ERASED_MEANWHILE)
            self._responses.refuse(tenant, record.question, ERASED_MEANWHILE)
            tombstone = self._records.erase(tenant, record_id)
        self._sweep(tenant, record_id)
        return tombstone

    def alike(self, tenant: str, record_id: str) -> list[str]:
        """Return the tenant's other records that hold a record's question."""
        with self._database.reading(tenant) as connection:
            return records_alike(connection, tenant, record_id)

    def look_again(self, moment: float) -> None:
        """Delete what this folder still holds of records that were erased since a moment.

        Another server, with a folder of its own, may have erased them; what was read at that time
        was not wiped.
        """
        now = time.time()  # what ended later, by a clock that had jumped, says nothing of copies
        erased = [each for each in self.erasures.since(moment) if (each.ended_at or now) <= now]
        if not erased:
            return
        last = max(each.ended_at or each.begun_at for each in erased)
        self._database.drop_copies(before=last)
        for tenant in {each.tenant for each in erased}:
            _refuse_left(self._indexes.drop_outdated(tenant))
        if last >= now - READ_S:
            self._database.empty_log(anew=True)

    def _take_out_of_files(self, tenant: str, record: Record) -> None:
        if record.state is State.ERASED:
            return
        with self._database.reading(tenant) as connection:
            told = completions_of(connection, tenant, record.id)
        signs = signs_of(record, told)
        gone = blank(self._database, self._files, tenant, signs)
        counts = {"files": dict(gone.files), "batch_answers": gone.batch_answers}
        self.erasures.note(tenant, record.id, **counts)
        with self._database.writing(tenant) as connection:
            files = self._files_of(connection, tenant, record.id)
            texts = texts_of(connection, tenant, record, told)
            scrubbed = scrub(connection, tenant, texts, record.id, files)
            note_removed(connection, tenant, record.id, scrubbed)

    def _files_of(self, connection: Connection, tenant: str, record_id: str) -> set[str]:
        """Return the files that lines were taken out of, before a kill as well."""
        here = and_(erasure.c.tenant == tenant, erasure.c.record_id == record_id)
        removed = connection.execute(select(erasure.c.removed).where(here)).scalar() or {}
        return set(removed.get("files", ()))

    def _sweep(self, tenant: str, record_id: str) -> None:
        """Delete what may hold an erased record beside the database's tables.

        What fails keeps nothing else from going.
        """
        with ExitStack() as stack:  # runs all of them, the last one first, and raises an error
            stack.callback(self._drop_copies, tenant, record_id)
            stack.callback(self._drop_snapshots, tenant)
            stack.callback(self._database.empty_log)

    def _drop_copies(self, tenant: str, record_id: str) -> None:
        if copies := self._database.drop_copies():
            self.erasures.note(tenant, record_id, copies=copies)

    def _drop_snapshots(self, tenant: str) -> None:
        _refuse_left(self._indexes.forget(tenant))


def _refuse_left(names: Sequence[str]) -> None:
    if names:
        raise StorageUnavailableError(
            f"{', '.join(names)} cannot be deleted, and may hold what was erased: "
            "mend that and forget the record again"
        )


def _asks(record: Record, entry: Entry) -> bool:
    """Whether a draft is of the record's tenant and question."""
    draft = entry.draft
    is_same = folded(question_of(draft.messages)) == folded(record.question)
    return is_same and draft.tenant == record.tenant and record.state is not State.ERASED

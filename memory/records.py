"""The store of records: every operation one transaction, and every answer from the database.

Owns the lifecycle of a record and its event log. Knows nothing of the vector index, which follows
from the events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, and_, delete, select, update

from memory.erasures import note_removed
from memory.errors import ConflictError
from memory.events import append_event, drop_reasons
from memory.holders import erase_what_tells_of
from memory.identity.answer_key import answer_key, contradiction, same_answer
from memory.identity.prompt import Prompt
from memory.inserting import insert_records, store_vectors, unasked
from memory.record_queries import filters, of_record, row_of, same_question
from memory.retraction import taken_back
from memory.rows import ERASED_CONTENT, confirmed, draft_row, edited, record_of
from memory.settle import Settlement, Standing, settle_known, settle_new
from memory.store.database import Database
from memory.store.full_text import remove_words
from memory.store.schema import embedding, record
from memory.types import Draft, Record, Saved, State, Tier

MAX_PAGE = 1000


DOUBT = "doubt"
"""In a record's evidence, why it was held back before anything learned from it."""


@dataclass(frozen=True)
class Entry:
    """A draft with its unit vector (float32, shape (d,)), ready to be stored."""

    draft: Draft
    vector: np.ndarray
    state: State = State.ACTIVE
    """The best state the newcomer may get: an import can bring in quarantined records."""


@dataclass(frozen=True)
class Newcomer:
    """An entry and the columns it would be stored in."""

    entry: Entry
    row: dict[str, Any]


class RecordStore:
    """Records of all tenants; every method names the one it may touch."""

    def __init__(self, database: Database, embedder_id: str) -> None:
        self._database = database
        self._embedder_id = embedder_id

    def save(self, draft: Draft, vector: np.ndarray) -> Saved:
        """Store one draft; it is durable when this returns."""
        return self.save_many([Entry(draft, vector)])[0]

    def save_many(self, entries: Sequence[Entry]) -> list[Saved]:
        """Store all entries in one commit, or none of them."""
        newcomers = [Newcomer(entry, draft_row(entry.draft)) for entry in entries]
        tenants = {entry.draft.tenant for entry in entries}
        with self._database.writing(tenants) as connection:
            fresh = unasked(connection, [one.row for one in newcomers])
            made = self._create(connection, [newcomers[place] for place in fresh])
            saved = dict(zip(fresh, made, strict=True))
            for place, newcomer in enumerate(newcomers):
                if place not in saved:
                    saved[place] = self._save(connection, newcomer)
            return [saved[place] for place in range(len(newcomers))]

    def get(self, tenant: str, record_id: str) -> Record:
        """Return one record, erased ones as an empty tombstone; `NotFoundError` otherwise."""
        with self._database.reading(tenant) as connection:
            return record_of(row_of(connection, tenant, record_id))

    def page(
        self,
        tenant: str,
        *,
        state: State | None = None,
        task: str | None = None,
        q: str | None = None,
        limit: int = 100,
        after: str | None = None,
        oldest_first: bool = False,
    ) -> list[Record]:
        """Return one page of records after the record `after`, newest first unless told.

        Erased records are left out unless `state` asks for them. `q` is a substring of question,
        answer or rationale.
        """
        number = record.c.number
        query = select(record).where(record.c.tenant == tenant, *filters(state, task, q))
        with self._database.reading(tenant) as connection:
            if after is not None:
                cursor = row_of(connection, tenant, after)["number"]
                query = query.where(number > cursor if oldest_first else number < cursor)
            query = query.order_by(number if oldest_first else number.desc())
            rows = connection.execute(query.limit(min(max(limit, 1), MAX_PAGE))).mappings()
            return [record_of(row) for row in rows]

    def walk(self, tenant: str, *, state: State | None = None) -> Iterator[Record]:
        """Yield all records oldest first, page by page: no transaction stays open between."""
        after = None
        while page := self.page(tenant, state=state, after=after, limit=256, oldest_first=True):
            yield from page
            after = page[-1].id

    def find(self, tenant: str, asked: Prompt | str, answer: str) -> Record | None:
        """Return the record that gives this answer to this question, in whatever state.

        The question is a prompt, or a prompt's fingerprint.
        """
        hashed = asked if isinstance(asked, str) else asked.fingerprint
        return self._first(tenant, hashed, record.c.answer_hash == answer_key(answer))

    def active(self, tenant: str, asked: str) -> Record | None:
        """Return the active record of a question, by its fingerprint."""
        return self._first(tenant, asked, record.c.state == State.ACTIVE)

    def _first(self, tenant: str, asked: str, which: ColumnElement[bool]) -> Record | None:
        here = same_question(tenant, asked) & which
        with self._database.reading(tenant) as connection:
            row = connection.execute(select(record).where(here)).mappings().first()
            return None if row is None else record_of(row)

    def set_state(self, tenant: str, record_id: str, state: State, reason: str) -> Record:
        """Move a record to `state`; erasing is final.

        Raises `ConflictError` for an erased record, and for activating one of two answers to a
        question while the other is active.
        """
        if state is State.ERASED:
            return self.erase(tenant, record_id, reason)
        with self._database.writing(tenant) as connection:
            row = row_of(connection, tenant, record_id)
            if row["state"] == State.ERASED:
                raise ConflictError(f"{record_id} is erased; nothing is left to restore")
            if state is State.ACTIVE:
                _refuse_two_answers(connection, row)
            _move(connection, tenant, record_id, state, reason, contested=False)
            return record_of(row_of(connection, tenant, record_id))

    def hold(self, tenant: str, record_id: str, doubt: str) -> Record:
        """Hold an active record back for review, with what speaks against it.

        Once somebody has accepted it, it is not held again.
        """
        with self._database.writing(tenant) as connection:
            row = row_of(connection, tenant, record_id)
            if row["state"] == State.ACTIVE and DOUBT not in row["evidence"]:
                evidence = dict(row["evidence"]) | {DOUBT: doubt}
                connection.execute(of_record(tenant, record_id).values(evidence=evidence))
                _move(connection, tenant, record_id, State.PENDING, doubt, contested=False)
            return record_of(row_of(connection, tenant, record_id))

    def take_back(self, tenant: str, asked: str, completion_id: str, answer: str | None) -> None:
        """Retire what rests on feedback on this completion alone and does not give `answer`."""
        reason = f"superseded by later feedback on {completion_id}"
        with self._database.writing(tenant) as connection:
            known = select(record).where(same_question(tenant, asked))
            for row in connection.execute(known).mappings().all():
                if (state := taken_back(row, completion_id, answer)) is not None:
                    _move(connection, tenant, row["id"], state, reason, contested=False)

    def edit(
        self, tenant: str, record_id: str, answer: str, rationale: str, by: str | None = None
    ) -> Record:
        """Give a record another answer and text, on the word of whoever does it.

        `by` is the completion that the word was about, where there is one.

        Raises `ConflictError` for an erased record, where another gives this answer already, and
        where the text comes to another answer.
        """
        if told := contradiction(rationale, answer):
            raise ConflictError(told)
        with self._database.writing(tenant) as connection:
            row = row_of(connection, tenant, record_id)
            if row["state"] == State.ERASED:
                raise ConflictError(f"{record_id} is erased; nothing is left to edit")
            key = answer_key(answer)
            alike = same_question(tenant, row["question_hash"]) & (record.c.answer_hash == key)
            other = select(record.c.id).where(alike, record.c.id != record_id)
            if (found := connection.execute(other).scalar()) is not None:
                raise ConflictError(f"{found} gives this answer already: confirm that one")
            changes = edited(row, answer, rationale, by)
            connection.execute(of_record(tenant, record_id).values(**changes, answer_hash=key))
            append_event(connection, tenant, "edited", record_id)
            return record_of(row_of(connection, tenant, record_id))

    def erase(self, tenant: str, record_id: str, reason: str = "forgotten") -> Record:
        """Wipe a record's content, vectors and words, and whatever else holds its question.

        A tombstone keeps id and counts. Erasing twice is the same as once.
        """
        with self._database.writing(tenant) as connection:
            row = row_of(connection, tenant, record_id)
            if row["state"] != State.ERASED:
                connection.execute(of_record(tenant, record_id).values(**ERASED_CONTENT))
                vectors = delete(embedding).where(embedding.c.record_id == record_id)
                gone = {
                    "records": 1,
                    "vectors": connection.execute(vectors).rowcount,
                    **erase_what_tells_of(connection, row),
                }
                note_removed(connection, tenant, record_id, gone)
                drop_reasons(connection, tenant, record_id)
                remove_words(connection, row)
                append_event(connection, tenant, "erased", record_id, reason=reason)
            return record_of(row_of(connection, tenant, record_id))

    def credit(self, tenant: str, record_ids: Iterable[str], *, won: bool) -> None:
        """Count one use of each record, and one win where the answer held."""
        used = and_(record.c.tenant == tenant, record.c.id.in_(list(record_ids)))
        counts = {"uses": record.c.uses + 1, "wins": record.c.wins + int(won)}
        with self._database.writing(tenant) as connection:
            connection.execute(update(record).where(used).values(**counts))

    def _save(self, connection: Connection, newcomer: Newcomer) -> Saved:
        entry, row = newcomer.entry, newcomer.row
        alike = same_question(row["tenant"], row["question_hash"])
        rows = connection.execute(select(record).where(alike)).mappings().all()
        known = _given_by(rows, row)
        rivals = [_standing(r) for r in rows if r is not known]
        if known is None:
            return self._create(connection, [newcomer], rivals)[0]
        settled = settle_known(entry.draft.tier, _standing(known), rivals)
        if entry.state is not State.ACTIVE:
            settled = Settlement(known["state"], "already known")
        _quarantine(connection, row["tenant"], settled)
        changes = confirmed(known, entry.draft, settled.state)
        connection.execute(of_record(row["tenant"], known["id"]).values(**changes))
        append_event(connection, row["tenant"], "confirmed", known["id"], state=settled.state)
        saved = record_of(row_of(connection, row["tenant"], known["id"]))
        return Saved(
            record=saved, created=False, reason=settled.reason, fingerprint=row["question_hash"]
        )

    def _create(
        self,
        connection: Connection,
        newcomers: Sequence[Newcomer],
        rivals: Sequence[Standing] = (),
    ) -> list[Saved]:
        """Insert newcomers; `rivals` are the other answers to the question, where it has some."""
        reasons = []
        for newcomer in newcomers:
            settled = _settled(newcomer.entry, rivals)
            _quarantine(connection, newcomer.row["tenant"], settled)
            contested = settled.contested and newcomer.entry.state is State.ACTIVE
            newcomer.row.update(state=settled.state, contested=contested)
            reasons.append(settled.reason)
        rows = [newcomer.row for newcomer in newcomers]
        insert_records(connection, rows)
        vectors = ((one.row["id"], one.entry.vector) for one in newcomers)
        store_vectors(connection, self._embedder_id, vectors)
        return [
            Saved(record=record_of(row), created=True, reason=why, fingerprint=row["question_hash"])
            for row, why in zip(rows, reasons, strict=True)
        ]


def _settled(entry: Entry, rivals: Sequence[Standing]) -> Settlement:
    if entry.state is not State.ACTIVE:
        return Settlement(entry.state, f"stored as {entry.state}")
    return settle_new(entry.draft.tier, rivals)


def _given_by(rows: Sequence[Any], new: Mapping[str, Any]) -> Any:
    """Return the record of the question that gives the new answer, or the only one it agrees with.

    A value without a unit is the one with a unit, as it is in a vote, unless two name units.
    """
    for row in rows:
        if row["answer_hash"] == new["answer_hash"]:
            return row
    alike = [row for row in rows if same_answer(row["answer"], new["answer"])]
    return alike[0] if len(alike) == 1 else None


def _standing(row: Any) -> Standing:
    return Standing(row["id"], State(row["state"]), Tier(row["tier"]), row["contested"])


def _quarantine(connection: Connection, tenant: str, settled: Settlement) -> None:
    for loser in settled.quarantine:
        _move(connection, tenant, loser, State.QUARANTINED, settled.reason, contested=True)


def _move(
    connection: Connection,
    tenant: str,
    record_id: str,
    state: State,
    reason: str,
    *,
    contested: bool,
) -> None:
    connection.execute(of_record(tenant, record_id).values(state=state, contested=contested))
    append_event(connection, tenant, "moved", record_id, state=state, reason=reason)


def _refuse_two_answers(connection: Connection, row: Any) -> None:
    rival = and_(
        same_question(row["tenant"], row["question_hash"]),
        record.c.id != row["id"],
        record.c.state == State.ACTIVE,
    )
    other = connection.execute(select(record.c.id).where(rival)).scalar()
    if other is not None:
        raise ConflictError(f"{other} answers the same question otherwise: quarantine it first")

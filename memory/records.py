"""The store of records: every operation one transaction, and every answer from the database.

Owns the lifecycle of a record and its event log. Knows nothing of the vector index, which follows
from the events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from sqlalchemy import ColumnElement, and_, delete, select, union_all, update

from memory.editing import correct
from memory.erasure.erasures import note_removed
from memory.erasure.holders import erase_what_tells_of
from memory.events import append_event, drop_reasons
from memory.identity.answer_key import answer_key
from memory.identity.prompt import Prompt
from memory.moving import decide, move
from memory.newcomers import Entry, Newcomer, save_all
from memory.paging import place_of
from memory.record_queries import filters, of_record, row_of, same_question
from memory.retraction import taken_back
from memory.rows import ERASED_CONTENT, draft_row, record_of
from memory.store.database import Database
from memory.store.full_text import remove_words
from memory.store.schema import embedding, record
from memory.types import Draft, Record, Saved, State

MAX_PAGE = 1000
DOUBT = "doubt"
"""In a record's evidence, why it was held back before anything learned from it."""
LIKE_IT = "doubt_near"
"""In a record's evidence, the ids of the most similar records that do not speak for it."""


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
            return save_all(connection, self._embedder_id, newcomers)

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
        number, most = record.c.number, min(max(limit, 1), MAX_PAGE)
        order = number if oldest_first else number.desc()
        wanted = [record.c.tenant == tenant]
        with self._database.reading(tenant) as connection:
            if after is not None:
                cursor = place_of(row_of, connection, tenant, after)["number"]
                wanted.append(number > cursor if oldest_first else number < cursor)
            # Of each state by itself: so the index has them in order, and none is sorted.
            states = [state] if state else [each for each in State if each is not State.ERASED]
            each = (select(number).where(*wanted, *filters(s, task, q)) for s in states)
            first = [select(query.order_by(order).limit(most).subquery()) for query in each]
            query = select(record).where(number.in_(union_all(*first)))
            rows = connection.execute(query.order_by(order).limit(most)).mappings()
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
        """Move a record to `state`, erasing included; see `memory.moving.decide`."""
        if state is State.ERASED:
            return self.erase(tenant, record_id, reason)
        with self._database.writing(tenant) as connection:
            decide(connection, row_of(connection, tenant, record_id), state, reason)
            return record_of(row_of(connection, tenant, record_id))

    def hold(self, tenant: str, record_id: str, doubt: str, near: Sequence[str] = ()) -> Record:
        """Hold an active record back for review, with what speaks against it.

        `near` are the ids of the records most like it, to be shown beside it. Once somebody has
        accepted it, it is not held again.
        """
        with self._database.writing(tenant) as connection:
            row = row_of(connection, tenant, record_id)
            if row["state"] == State.ACTIVE and DOUBT not in row["evidence"]:
                evidence = dict(row["evidence"]) | {DOUBT: doubt, LIKE_IT: list(near)}
                connection.execute(of_record(tenant, record_id).values(evidence=evidence))
                move(connection, tenant, record_id, State.PENDING, doubt, contested=False)
            return record_of(row_of(connection, tenant, record_id))

    def take_back(self, tenant: str, asked: str, completion_id: str, answer: str | None) -> None:
        """Retire what rests on feedback on this completion alone and does not give `answer`."""
        reason = f"superseded by later feedback on {completion_id}"
        with self._database.writing(tenant) as connection:
            known = select(record).where(same_question(tenant, asked))
            for row in connection.execute(known).mappings().all():
                if (state := taken_back(row, completion_id, answer)) is not None:
                    move(connection, tenant, row["id"], state, reason, contested=False)

    def edit(
        self, tenant: str, record_id: str, answer: str, rationale: str, by: str | None = None
    ) -> Record:
        """Give a record another answer and text; see `memory.editing.correct`."""
        with self._database.writing(tenant) as connection:
            correct(connection, row_of(connection, tenant, record_id), answer, rationale, by)
            return record_of(row_of(connection, tenant, record_id))

    def revise(
        self,
        tenant: str,
        record_id: str,
        answer: str | None,
        rationale: str | None,
        state: State | None,
        reason: str,
    ) -> Record:
        """Edit a record, move it, or both in one transaction: what is refused leaves all as it was.

        What is None stays, but an answer alone is its own rationale. Raises as `edit` and
        `set_state` do.
        """
        with self._database.writing(tenant) as connection:
            row = row_of(connection, tenant, record_id)
            if answer or rationale:
                text = rationale or answer or row["rationale"]
                correct(connection, row, answer or row["answer"], text)
            if state is not None:
                decide(connection, row, state, reason)
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

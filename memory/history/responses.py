"""Stored responses: what was asked and answered, for those who read it again or go on from it.

Owns the table of responses. A response holds what it alone was asked; what came before is read from
those that it goes on from, which live as long as it does. Knows nothing of how one is made.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Connection, and_, func, insert, select, update

from memory.errors import ConflictError, NotFoundError
from memory.history.items import (
    Item,
    Order,
    all_items,
    contents_of,
    page_of_items,
    size_of,
    write_items,
)
from memory.history.response_rows import (
    ancestry,
    bodies_of,
    change_at_work,
    drop_responses,
    make_room,
    stored_of,
    tell_conversation,
    unknown,
)
from memory.history.retention import Hourly, Retention
from memory.history.stored_response import StoredResponse, Written
from memory.store.chunks import chunks
from memory.store.database import Database
from memory.store.group_commit import GroupCommit
from memory.store.schema import response
from memory.store.scope import EVERYONE
from memory.text import trace

HELD_S = 60.0
"""A server that makes a response says so more often; after this, none is believed to."""


Keeping: TypeAlias = "tuple[Written, int | None]"
"""A response, and the bytes that its tenant may keep."""


class Kept(NamedTuple):
    """What came of storing a response."""

    refused: ConflictError | None = None


class ResponseStore:
    """The stored responses of all tenants; one that is too old exists no more."""

    def __init__(
        self, database: Database, retention_days: float = 30.0, retention: Retention | None = None
    ) -> None:
        self._database = database
        self._retention = retention or Retention(retention_days)
        self._pruning = Hourly("old responses", self.prune)
        self._keeper = GroupCommit(self._keep_many)

    def keep(self, new: Written, most: int | None = None) -> None:
        """Store a response that has ended, and add it to its conversation: all of it or nothing.

        `most` bounds the bytes of all a tenant's responses and conversations: older responses make
        room. Raises `ConflictError` where that does not help, and where the conversation is gone.
        """
        refused = self._keeper.save((new, most)).refused
        self._pruning.look()
        if refused is not None:
            raise refused

    def begin(self, new: Written, most: int | None = None) -> None:
        """Store a response that is going to be made, held for `HELD_S`."""
        with self._database.writing(new.response.tenant) as connection:
            self._insert(connection, new, held_until=time.time() + HELD_S)
            make_room(connection, new.response, most)
        self._pruning.look()

    def hold(self, tenant: str, response_id: str) -> bool:
        """Say that a response is still being made; False where it is not to be any more."""
        values = {"status": "in_progress", "held_until": time.time() + HELD_S}
        with self._database.writing(tenant) as connection:
            return change_at_work(connection, tenant, response_id, values)

    def finish(self, new: Written, most: int | None = None) -> bool:
        """Store what a response that was being made came to; False where it has ended before.

        Raises `ConflictError` as `keep` does.
        """
        made = new.response
        with self._database.writing(made.tenant) as connection:
            asked = all_items(connection, made.id)
            values = {
                "status": made.status,
                "body": dict(made.body),
                "bytes": size_of(made.body) + sum(size_of(each.content) for each in asked),
                "held_until": 0.0,
            }
            if not change_at_work(connection, made.tenant, made.id, values):
                return False
            tell_conversation(connection, made, [*asked, *new.said])
            make_room(connection, made, most)
        return True

    def cancel(self, tenant: str, response_id: str) -> StoredResponse:
        """Return a response, which has ended then; raises `NotFoundError`."""
        with self._database.writing(tenant) as connection:
            change_at_work(
                connection, tenant, response_id, {"status": "cancelled", "held_until": 0.0}
            )
            return self._found(connection, tenant, response_id)

    def get(self, tenant: str, response_id: str) -> StoredResponse:
        """Return a response; raises `NotFoundError`."""
        with self._database.reading(tenant) as connection:
            return self._found(connection, tenant, response_id)

    def items(
        self, tenant: str, response_id: str, limit: int, after: str | None, order: Order
    ) -> list[Item]:
        """Return a page of what a response was asked; raises `NotFoundError`."""
        with self._database.reading(tenant) as connection:
            self._found(connection, tenant, response_id)
            return page_of_items(connection, response_id, limit, after, order)

    def delete(self, tenant: str, response_id: str) -> None:
        """Erase a response; raises `NotFoundError`."""
        with self._database.writing(tenant) as connection:
            self._found(connection, tenant, response_id)
            drop_responses(connection, [response_id])

    def chain(self, tenant: str, response_id: str, most: int) -> list[tuple[Any, Any]]:
        """Return what each was asked, and its body: the response, after those it goes on from.

        Raises `NotFoundError` where one of them is gone, `ConflictError` where they have more than
        `most` bytes.
        """
        with self._database.reading(tenant) as connection:
            rows = ancestry(connection, tenant, response_id, self._retention.cutoff())
            if not rows:
                raise NotFoundError(unknown(response_id))
            if rows[-1].previous_id is not None:
                raise NotFoundError(
                    f"Response with id '{response_id}' goes on from one that was deleted or has "
                    "expired: begin anew"
                )
            if (size := sum(row.bytes for row in rows)) > most:
                raise ConflictError(
                    f"response {response_id} and those it goes on from have {size} bytes, and "
                    f"{most} are the most: begin anew"
                )
            ids = [row.id for row in reversed(rows)]
            asked, bodies = contents_of(connection, ids), bodies_of(connection, ids)
            return [(asked[each], bodies[each]) for each in ids]

    def refuse(self, tenant: str, question: str, reason: str) -> None:
        """Let what waits to be stored of a question fail: it is erased."""
        erased = trace(question)

        def is_meant(entry: Keeping) -> bool:
            new, _ = entry
            asks = any(each.trace == erased for each in new.asked)
            return asks and new.response.tenant == tenant

        self._keeper.refuse(is_meant, reason)

    def prune(self) -> int:
        """Erase what is too old; return how many there were.

        Nothing is erased by a clock that is not to be believed: see `Retention`.
        """
        old = response.c.used_at < self._retention.cutoff()
        with self._database.writing(EVERYONE) as connection:
            total = connection.execute(select(func.count()).select_from(response)).scalar_one()
            ids = list(connection.execute(select(response.c.id).where(old)).scalars())
            if not self._retention.allows(len(ids), total):
                return 0
            drop_responses(connection, ids)
            return len(ids)

    def _keep_many(self, entries: Sequence[Keeping]) -> list[Kept]:
        tenants = {new.response.tenant for new, _ in entries}
        with self._database.writing(tenants) as connection:
            return [self._keep(connection, *entry) for entry in entries]

    def _keep(self, connection: Connection, new: Written, most: int | None) -> Kept:
        """Store a response beside others; what it is refused for undoes nothing of theirs."""
        try:
            with connection.begin_nested():
                if new.is_kept:
                    self._insert(connection, new, held_until=0.0)
                tell_conversation(connection, new.response, [*new.asked, *new.said])
                make_room(connection, new.response, most)
        except ConflictError as error:
            return Kept(error)
        return Kept()

    def _insert(self, connection: Connection, new: Written, held_until: float) -> None:
        made, now = new.response, time.time()
        size = write_items(connection, made.tenant, made.id, new.asked)
        row = made.model_dump() | {
            "bytes": size + size_of(made.body),
            "created_at": now,
            "used_at": now,
            "held_until": held_until,
        }
        connection.execute(insert(response).values(row))
        if made.previous_id is not None:
            cutoff = self._retention.cutoff()
            rows = ancestry(connection, made.tenant, made.previous_id, cutoff)
            ids = [row.id for row in rows]  # what it goes on from lives as long
            for some in chunks(ids):
                here = response.c.id.in_(some)
                connection.execute(update(response).where(here).values(used_at=now))

    def _found(self, connection: Connection, tenant: str, response_id: str) -> StoredResponse:
        alive = response.c.used_at >= self._retention.cutoff()
        here = and_(response.c.id == response_id, response.c.tenant == tenant, alive)
        row = connection.execute(select(response).where(here)).first()
        if row is None:
            raise NotFoundError(unknown(response_id))
        return stored_of(row)

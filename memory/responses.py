"""Stored responses: what was asked and answered, for those who read it again or go on from it.

Owns the table of responses. A response holds what it alone was asked; what came before is read from
those that it goes on from, which live as long as it does. Knows nothing of how one is made.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)

from memory.conversations import append_items, held_bytes, refuse_beyond
from memory.errors import ConflictError, NotFoundError
from memory.items import (
    Item,
    Order,
    all_items,
    contents_of,
    drop_items,
    page_of_items,
    size_of,
    write_items,
)
from memory.retention import Retention
from memory.store.database import Database
from memory.store.schema import response
from memory.stored_response import AT_WORK, SAID, StoredResponse, Written

log = logging.getLogger(__name__)

MOST_RESPONSES = 10_000
"""Of a tenant; beyond it, the one that was longest not gone on with makes room."""
HELD_S = 60.0
"""Whoever makes a response says so more often; after this, nobody is believed to."""
PRUNE_EVERY_S = 3600.0
ROOM = 100
"""Responses looked at together where room is made."""


class ResponseStore:
    """The stored responses of all tenants; one that is too old exists no more."""

    def __init__(
        self, database: Database, retention_days: float = 30.0, retention: Retention | None = None
    ) -> None:
        self._database = database
        self._retention = retention or Retention(retention_days)
        self._next_prune = time.monotonic()

    def keep(self, new: Written, most: int | None = None) -> None:
        """Store a response that has ended, and add it to its conversation: all of it or nothing.

        `most` bounds the bytes of all a tenant's responses and conversations: older responses make
        room. Raises `ConflictError` where that does not help, and where the conversation is gone.
        """
        with self._database.writing() as connection:
            if new.is_kept:
                self._insert(connection, new, held_until=0.0)
            _tell(connection, new.response, [*new.asked, *new.said])
            _make_room(connection, new.response, most)
        self._prune_in_time()

    def begin(self, new: Written, most: int | None = None) -> None:
        """Store a response that is going to be made, held for `HELD_S`."""
        with self._database.writing() as connection:
            self._insert(connection, new, held_until=time.time() + HELD_S)
            _make_room(connection, new.response, most)
        self._prune_in_time()

    def hold(self, tenant: str, response_id: str) -> bool:
        """Say that a response is still being made; False where it is not to be any more."""
        values = {"status": "in_progress", "held_until": time.time() + HELD_S}
        with self._database.writing() as connection:
            return _change(connection, tenant, response_id, values)

    def finish(self, new: Written, most: int | None = None) -> bool:
        """Store what a response that was being made came to; False where it has ended before.

        Raises `ConflictError` as `keep` does.
        """
        made = new.response
        with self._database.writing() as connection:
            asked = all_items(connection, made.id)
            values = {
                "status": made.status,
                "body": dict(made.body),
                "bytes": size_of(made.body) + sum(size_of(each.content) for each in asked),
                "held_until": 0.0,
            }
            if not _change(connection, made.tenant, made.id, values):
                return False
            _tell(connection, made, [*asked, *new.said])
            _make_room(connection, made, most)
        return True

    def cancel(self, tenant: str, response_id: str) -> StoredResponse:
        """Return a response, which has ended then; raises `NotFoundError`."""
        with self._database.writing() as connection:
            _change(connection, tenant, response_id, {"status": "cancelled", "held_until": 0.0})
            return self._found(connection, tenant, response_id)

    def get(self, tenant: str, response_id: str) -> StoredResponse:
        """Return a response; raises `NotFoundError`."""
        with self._database.reading() as connection:
            return self._found(connection, tenant, response_id)

    def items(
        self, tenant: str, response_id: str, limit: int, after: str | None, order: Order
    ) -> list[Item]:
        """Return a page of what a response was asked; raises `NotFoundError`."""
        with self._database.reading() as connection:
            self._found(connection, tenant, response_id)
            return page_of_items(connection, response_id, limit, after, order)

    def delete(self, tenant: str, response_id: str) -> None:
        """Erase a response; raises `NotFoundError`."""
        with self._database.writing() as connection:
            self._found(connection, tenant, response_id)
            _drop(connection, [response_id])

    def chain(self, tenant: str, response_id: str, most: int) -> list[tuple[Any, Any]]:
        """Return what each was asked, and its body: the response, after those it goes on from.

        Raises `NotFoundError` where one of them is gone, `ConflictError` where they have more than
        `most` bytes.
        """
        with self._database.reading() as connection:
            rows = _ancestry(connection, tenant, response_id, self._retention.cutoff())
            if not rows:
                raise NotFoundError(_no(response_id))
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
            asked, bodies = contents_of(connection, ids), _bodies(connection, ids)
            return [(asked[each], bodies[each]) for each in ids]

    def prune(self) -> int:
        """Erase what is too old; return how many there were.

        Nothing is erased by a clock that is not to be believed: see `Retention`.
        """
        old = response.c.used_at < self._retention.cutoff()
        with self._database.writing() as connection:
            total = connection.execute(select(func.count()).select_from(response)).scalar_one()
            ids = list(connection.execute(select(response.c.id).where(old)).scalars())
            if not self._retention.allows(len(ids), total):
                return 0
            _drop(connection, ids)
            return len(ids)

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
            rows = _ancestry(connection, made.tenant, made.previous_id, cutoff)
            for each in rows:  # what it goes on from lives as long
                here = response.c.id == each.id
                connection.execute(update(response).where(here).values(used_at=now))

    def _found(self, connection: Connection, tenant: str, response_id: str) -> StoredResponse:
        alive = response.c.used_at >= self._retention.cutoff()
        here = and_(response.c.id == response_id, response.c.tenant == tenant, alive)
        row = connection.execute(select(response).where(here)).first()
        if row is None:
            raise NotFoundError(_no(response_id))
        return _stored(row)

    def _prune_in_time(self) -> None:
        if time.monotonic() < self._next_prune:
            return
        self._next_prune = time.monotonic() + PRUNE_EVERY_S
        try:
            self.prune()
        except Exception:  # the response is stored already: the next hour tries again
            log.exception("old responses stay for now")


def erase_responses(
    connection: Connection, tenant: str, is_meant: ColumnElement[bool]
) -> Sequence[str]:
    """Erase a tenant's responses of which something holds; return the ids of what they said."""
    columns = select(response.c.id, response.c.body).where(response.c.tenant == tenant, is_meant)
    rows = connection.execute(columns).all()
    _drop(connection, [row.id for row in rows])
    return [str(each["id"]) for row in rows for each in row.body.get("output", ()) if "id" in each]


def _ancestry(
    connection: Connection, tenant: str, response_id: str, cutoff: float
) -> Sequence[Row[Any]]:
    """Return id, `previous_id` and bytes of a response and of those it goes on from, newest first.

    They end where one is gone.
    """
    alive = and_(response.c.tenant == tenant, response.c.used_at >= cutoff)
    columns = (response.c.id, response.c.previous_id, response.c.bytes)
    first = select(*columns, literal(0).label("depth")).where(response.c.id == response_id, alive)
    found = first.cte("ancestry", recursive=True)
    earlier = select(*columns, found.c.depth + 1).where(response.c.id == found.c.previous_id, alive)
    found = found.union_all(earlier)
    return connection.execute(select(found).order_by(found.c.depth)).all()


def _bodies(connection: Connection, ids: Sequence[str]) -> Mapping[str, Any]:
    found = {}
    for each in ids:
        body = select(response.c.body).where(response.c.id == each)
        found[each] = connection.execute(body).scalar_one()
    return found


def _change(
    connection: Connection, tenant: str, response_id: str, values: Mapping[str, Any]
) -> bool:
    """Change a response that is being made; False where it is not."""
    here = and_(response.c.id == response_id, response.c.tenant == tenant)
    changed = update(response).where(here, response.c.status.in_(AT_WORK)).values(**values)
    return bool(connection.execute(changed).rowcount)


def _tell(connection: Connection, made: StoredResponse, items: Sequence[Item]) -> None:
    """Add a response that says something to its conversation."""
    if made.conversation_id is None or made.status not in SAID:
        return
    try:
        append_items(connection, made.tenant, made.conversation_id, items)
    except NotFoundError as error:
        raise ConflictError(f"{made.conversation_id} was deleted meanwhile") from error


def _make_room(connection: Connection, new: StoredResponse, most: int | None) -> None:
    """Erase a tenant's oldest responses until there are no more, and no larger, than there may be.

    Those that are being made stay, and so does the new one.
    """
    mine = response.c.tenant == new.tenant
    ended = and_(mine, response.c.status.not_in(AT_WORK), response.c.id != new.id)
    count = connection.execute(select(func.count()).where(mine)).scalar_one()
    held = held_bytes(connection, new.tenant)
    while count > MOST_RESPONSES or (most is not None and held > most):
        oldest = select(response.c.id, response.c.bytes).where(ended)
        oldest = oldest.order_by(response.c.used_at, response.c.number).limit(ROOM)
        going = []
        for row in connection.execute(oldest):
            if count <= MOST_RESPONSES and (most is None or held <= most):
                break
            going.append(row.id)
            count, held = count - 1, held - row.bytes
        if not going:
            break
        _drop(connection, going)
    refuse_beyond(connection, new.tenant, most)


def _drop(connection: Connection, ids: Sequence[str]) -> None:
    drop_items(connection, ids)
    for each in ids:
        connection.execute(delete(response).where(response.c.id == each))


def _stored(row: Row[Any]) -> StoredResponse:
    return StoredResponse(
        id=row.id,
        tenant=row.tenant,
        status=row.status,
        body={**row.body, "status": row.status},
        previous_id=row.previous_id,
        conversation_id=row.conversation_id,
        held_until=row.held_until,
    )


def _no(response_id: str) -> str:
    return f"Response with id '{response_id}' not found."

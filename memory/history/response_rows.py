"""The table of responses, row by row: what several operations on stored ones have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, literal, select, update

from memory.errors import ConflictError, NotFoundError
from memory.history.conversations import append_items, spoken_bytes, too_much
from memory.history.items import Item, drop_items
from memory.history.stored_response import AT_WORK, SAID, StoredResponse
from memory.store.chunks import chunks
from memory.store.schema import response

MOST_RESPONSES = 10_000
"""Most responses of a tenant; then the one that was unused for longest makes room."""
ROOM = 100
"""Responses looked at together where room is made."""


def erase_responses(
    connection: Connection, tenant: str, is_meant: ColumnElement[bool]
) -> tuple[int, Sequence[str]]:
    """Erase a tenant's responses of which something holds; return how many, and the ids of what
    they said.
    """
    columns = select(response.c.id, response.c.body).where(response.c.tenant == tenant, is_meant)
    rows = connection.execute(columns).all()
    drop_responses(connection, [row.id for row in rows])
    output = (each for row in rows for each in row.body.get("output", ()))
    return len(rows), [str(each["id"]) for each in output if "id" in each]


def ancestry(
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


def bodies_of(connection: Connection, ids: Sequence[str]) -> Mapping[str, Any]:
    found = {}
    for each in ids:
        body = select(response.c.body).where(response.c.id == each)
        found[each] = connection.execute(body).scalar_one()
    return found


def change_at_work(
    connection: Connection, tenant: str, response_id: str, values: Mapping[str, Any]
) -> bool:
    """Change a response that is being made; False where it is not."""
    here = and_(response.c.id == response_id, response.c.tenant == tenant)
    changed = update(response).where(here, response.c.status.in_(AT_WORK)).values(**values)
    return bool(connection.execute(changed).rowcount)


def tell_conversation(connection: Connection, made: StoredResponse, items: Sequence[Item]) -> None:
    """Add a response that says something to its conversation."""
    if made.conversation_id is None or made.status not in SAID:
        return
    try:
        append_items(connection, made.tenant, made.conversation_id, items)
    except NotFoundError as error:
        raise ConflictError(f"{made.conversation_id} was deleted meanwhile") from error


def make_room(connection: Connection, new: StoredResponse, most: int | None) -> None:
    """Erase a tenant's oldest responses until there are no more, and no larger, than there may be.

    Those that are being made stay, and so does the new one.
    """
    mine = response.c.tenant == new.tenant
    ended = and_(mine, response.c.status.not_in(AT_WORK), response.c.id != new.id)
    counted = select(func.count(), func.sum(response.c.bytes)).where(mine)
    count, stored = connection.execute(counted).one()
    held = int(stored or 0) + spoken_bytes(connection, new.tenant)
    while count > MOST_RESPONSES or (most is not None and held > most):
        oldest = select(response.c.id, response.c.bytes).where(ended)
        oldest = oldest.order_by(response.c.used_at).limit(ROOM)
        going = []
        for row in connection.execute(oldest):
            if count <= MOST_RESPONSES and (most is None or held <= most):
                break
            going.append(row.id)
            count, held = count - 1, held - row.bytes
        if not going:
            break
        drop_responses(connection, going)
    if most is not None and held > most:
        raise too_much(held, most)


def drop_responses(connection: Connection, ids: Sequence[str]) -> None:
    drop_items(connection, ids)
    for some in chunks(ids):
        connection.execute(delete(response).where(response.c.id.in_(some)))


def stored_of(row: Row[Any]) -> StoredResponse:
    return StoredResponse(
        id=row.id,
        tenant=row.tenant,
        status=row.status,
        body={**row.body, "status": row.status},
        previous_id=row.previous_id,
        conversation_id=row.conversation_id,
        held_until=row.held_until,
    )


def unknown(response_id: str) -> str:
    return f"Response with id '{response_id}' not found."

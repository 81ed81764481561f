"""Items of responses and conversations: what was asked and said, one a row, in their order.

Owns the table of items. Knows nothing of what is in an item but the trace of its text, by which an
erasure finds it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias
from uuid import uuid4

from sqlalchemy import Connection, Row, and_, delete, insert, select

from memory.errors import NotFoundError
from memory.paging import place_of
from memory.store.chunks import chunks
from memory.store.schema import item

Order: TypeAlias = Literal["asc", "desc"]


@dataclass(frozen=True)
class Item:
    """One message, call, result or thought."""

    id: str
    content: Mapping[str, Any]
    """As a client reads it, its id included."""
    trace: str | None = None
    """Trace of its text, see `memory.text`; None where it has none."""


def size_of(content: Mapping[str, Any]) -> int:
    """Return the bytes of a JSON object as it is kept."""
    return len(json.dumps(content))


def write_items(connection: Connection, tenant: str, holder: str, items: Sequence[Item]) -> int:
    """Add items to a response or a conversation; return their bytes."""
    rows = [
        {
            "holder": holder,
            "tenant": tenant,
            "id": each.id,
            "content": dict(each.content),
            "bytes": size_of(each.content),
            "trace": each.trace,
        }
        for each in items
    ]
    if rows:
        connection.execute(insert(item), rows)
    return sum(size_of(each.content) for each in items)


def all_items(connection: Connection, holder: str) -> list[Item]:
    """Return every item of a response or a conversation."""
    ordered = select(item).where(item.c.holder == holder).order_by(item.c.number)
    return [_item(row) for row in connection.execute(ordered)]


def contents_of(connection: Connection, holders: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the contents of the items of each holder."""
    found: dict[str, list[dict[str, Any]]] = {holder: [] for holder in holders}
    for some in chunks(holders):
        columns = select(item.c.holder, item.c.content).where(item.c.holder.in_(some))
        for row in connection.execute(columns.order_by(item.c.number)):
            found[row.holder].append(row.content)
    return found


def page_of_items(
    connection: Connection, holder: str, limit: int, after: str | None, order: Order
) -> list[Item]:
    """Return a page of items; those that come `after` one of that id. Raises `NotFoundError`."""
    wanted, number = item.c.holder == holder, item.c.number
    if after is not None:
        place = place_of(found_item, connection, holder, after).number
        wanted = and_(wanted, number < place if order == "desc" else number > place)
    ordered = select(item).where(wanted).order_by(number.desc() if order == "desc" else number)
    return [_item(row) for row in connection.execute(ordered.limit(limit))]


def get_item(connection: Connection, holder: str, item_id: str) -> Item:
    """Return one item; raises `NotFoundError`."""
    return _item(found_item(connection, holder, item_id))


def found_item(connection: Connection, holder: str, item_id: str) -> Row[Any]:
    """Return one item's row; raises `NotFoundError`."""
    here = and_(item.c.holder == holder, item.c.id == item_id)
    row = connection.execute(select(item).where(here).order_by(item.c.number)).first()
    if row is None:
        raise NotFoundError(f"no item {item_id}")
    return row


def drop_items(connection: Connection, holders: Sequence[str]) -> None:
    """Erase all items of responses and conversations."""
    for some in chunks(holders):
        connection.execute(delete(item).where(item.c.holder.in_(some)))


def with_ids_of_their_own(connection: Connection, holder: str, items: Sequence[Item]) -> list[Item]:
    """Return items, another id for each whose id stands in the holder already, or twice here."""
    taken: set[str] = set()
    for some in chunks([each.id for each in items]):
        here = and_(item.c.holder == holder, item.c.id.in_(some))
        taken.update(connection.execute(select(item.c.id).where(here)).scalars())
    named = []
    for each in items:
        fresh = _renamed(each, taken)
        taken.add(fresh.id)
        named.append(fresh)
    return named


def _renamed(each: Item, taken: Collection[str]) -> Item:
    if each.id not in taken:
        return each
    fresh = f"{each.id.partition('_')[0]}_{uuid4().hex}"
    return replace(each, id=fresh, content={**each.content, "id": fresh})


def _item(row: Row[Any]) -> Item:
    return Item(row.id, row.content, row.trace)

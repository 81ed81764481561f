"""Conversations of clients: what was said in each, for as long as its tenant keeps it.

Owns the table of conversations. Knows nothing of who answers in them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from memory.errors import ConflictError, NotFoundError
from memory.history.items import (
    Item,
    Order,
    all_items,
    drop_items,
    found_item,
    get_item,
    page_of_items,
    with_ids_of_their_own,
    write_items,
)
from memory.store.database import Database
from memory.store.schema import conversation, item, response
from memory.types import Frozen

MOST_CONVERSATIONS = 10_000
"""Most conversations of a tenant; beyond them it begins none."""
MOST_ITEMS = 10_000
"""Most items of a conversation; beyond them none is added."""


class Conversation(Frozen):
    """What is known of a conversation besides what was said; times are Unix seconds."""

    id: str
    tenant: str
    details: Mapping[str, Any]
    """What its client says of it."""
    bytes: int
    """Bytes of its items."""
    created_at: float


class ConversationStore:
    """The conversations of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, tenant: str, details: Mapping[str, Any], items: Sequence[Item], most: int | None
    ) -> Conversation:
        """Begin a conversation; raises `ConflictError` beyond `most` bytes of all that is kept."""
        conversation_id = f"conv_{uuid4().hex}"
        made = {
            "id": conversation_id,
            "tenant": tenant,
            "details": dict(details),
            "bytes": 0,
            "created_at": time.time(),
        }
        with self._database.writing(tenant) as connection:
            counted = select(func.count()).where(conversation.c.tenant == tenant)
            if connection.execute(counted).scalar_one() >= MOST_CONVERSATIONS:
                raise ConflictError(
                    f"there are {MOST_CONVERSATIONS} conversations of yours: delete some"
                )
            connection.execute(insert(conversation).values(made))
            append_items(connection, tenant, conversation_id, items)
            refuse_beyond(connection, tenant, most)
            return found_conversation(connection, tenant, conversation_id)

    def get(self, tenant: str, conversation_id: str) -> Conversation:
        """Return a conversation; raises `NotFoundError`."""
        with self._database.reading(tenant) as connection:
            return found_conversation(connection, tenant, conversation_id)

    def update(self, tenant: str, conversation_id: str, details: Mapping[str, Any]) -> Conversation:
        """Say something else of a conversation; raises `NotFoundError`."""
        with self._database.writing(tenant) as connection:
            found_conversation(connection, tenant, conversation_id)
            here = conversation.c.id == conversation_id
            connection.execute(update(conversation).where(here).values(details=dict(details)))
            return found_conversation(connection, tenant, conversation_id)

    def delete(self, tenant: str, conversation_id: str) -> None:
        """Erase a conversation and all that was said in it; raises `NotFoundError`."""
        with self._database.writing(tenant) as connection:
            found_conversation(connection, tenant, conversation_id)
            drop_items(connection, [conversation_id])
            connection.execute(delete(conversation).where(conversation.c.id == conversation_id))

    def add(
        self, tenant: str, conversation_id: str, items: Sequence[Item], most: int | None
    ) -> list[Item]:
        """Add items, and return them as they are kept; raises `NotFoundError`, `ConflictError`."""
        with self._database.writing(tenant) as connection:
            added = append_items(connection, tenant, conversation_id, items)
            refuse_beyond(connection, tenant, most)
            return added

    def items(
        self, tenant: str, conversation_id: str, limit: int, after: str | None, order: Order
    ) -> list[Item]:
        """Return a page of what was said; raises `NotFoundError`."""
        with self._database.reading(tenant) as connection:
            found_conversation(connection, tenant, conversation_id)
            return page_of_items(connection, conversation_id, limit, after, order)

    def item(self, tenant: str, conversation_id: str, item_id: str) -> Item:
        """Return one item; raises `NotFoundError`."""
        with self._database.reading(tenant) as connection:
            found_conversation(connection, tenant, conversation_id)
            return get_item(connection, conversation_id, item_id)

    def delete_item(self, tenant: str, conversation_id: str, item_id: str) -> Conversation:
        """Erase one item; raises `NotFoundError`."""
        with self._database.writing(tenant) as connection:
            found_conversation(connection, tenant, conversation_id)
            row = found_item(connection, conversation_id, item_id)
            connection.execute(delete(item).where(item.c.number == row.number))
            grow(connection, conversation_id, -row.bytes)
            return found_conversation(connection, tenant, conversation_id)

    def said(self, tenant: str, conversation_id: str, most: int) -> list[dict[str, Any]]:
        """Return all that was said, for the next answer; raises `NotFoundError`.

        Raises `ConflictError` where it has more than `most` bytes.
        """
        with self._database.reading(tenant) as connection:
            found = found_conversation(connection, tenant, conversation_id)
            if found.bytes > most:
                raise ConflictError(
                    f"conversation {conversation_id} has {found.bytes} bytes, and {most} are the "
                    "most: delete items of it, or begin another"
                )
            return [dict(each.content) for each in all_items(connection, conversation_id)]


def append_items(
    connection: Connection, tenant: str, conversation_id: str, items: Sequence[Item]
) -> list[Item]:
    """Add items to a conversation within a transaction of others; return them as they are kept."""
    found_conversation(connection, tenant, conversation_id, alone=True)
    counted = select(func.count()).where(item.c.holder == conversation_id)
    if connection.execute(counted).scalar_one() + len(items) > MOST_ITEMS:
        raise ConflictError(
            f"a conversation has {MOST_ITEMS} items at most: delete some, or begin another"
        )
    named = with_ids_of_their_own(connection, conversation_id, items)
    grow(connection, conversation_id, write_items(connection, tenant, conversation_id, named))
    return named


def found_conversation(
    connection: Connection, tenant: str, conversation_id: str, *, alone: bool = False
) -> Conversation:
    """Return a tenant's conversation; raises `NotFoundError`.

    Whoever wants it `alone` adds to it before others do: what is said together stays together.
    """
    here = and_(conversation.c.id == conversation_id, conversation.c.tenant == tenant)
    wanted = select(conversation).where(here)
    row = connection.execute(wanted.with_for_update() if alone else wanted).first()
    if row is None:
        raise NotFoundError(f"Conversation with id '{conversation_id}' not found.")
    return _conversation(row)


def grow(connection: Connection, conversation_id: str, by: int) -> None:
    """Note that a conversation's items have so many bytes more."""
    here = conversation.c.id == conversation_id
    sizes = {"bytes": conversation.c.bytes + by}
    connection.execute(update(conversation).where(here).values(**sizes))


def spoken_bytes(connection: Connection, tenant: str) -> int:
    """Return the bytes of all a tenant's conversations."""
    total = select(func.sum(conversation.c.bytes)).where(conversation.c.tenant == tenant)
    return int(connection.execute(total).scalar() or 0)


def refuse_beyond(connection: Connection, tenant: str, most: int | None) -> None:
    """Raise `ConflictError` where a tenant keeps more than `most` bytes, responses included."""
    if most is None:
        return
    stored = select(func.sum(response.c.bytes)).where(response.c.tenant == tenant)
    held = int(connection.execute(stored).scalar() or 0) + spoken_bytes(connection, tenant)
    if held > most:
        raise too_much(held, most)


def too_much(held: int, most: int) -> ConflictError:
    """Return what says that a tenant keeps too much."""
    return ConflictError(
        f"with this, your responses and conversations would come to {held} bytes, and {most} are "
        "the most: delete some"
    )


def _conversation(row: Row[Any]) -> Conversation:
    fields = dict(row._mapping)
    del fields["number"]
    return Conversation.model_validate(fields)

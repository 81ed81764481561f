"""OpenAI's `/v1/conversations`: what was said in each, for requests that go on in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from memory.errors import NotFoundError
from memory.history.conversations import Conversation, ConversationStore
from memory.history.items import Item
from memory.types import Frozen
from server.refusals.errors import ApiError
from server.requests.kept_items import kept_items
from server.requests.metadata import Metadata
from server.routes.paging import OPAQUE_ID, Id, list_object
from server.routes.responses import Include, page_of
from server.tenancy.principal import Tenant

Check = Callable[[list[dict[str, Any]]], None]
MostBytes = Callable[[str], Awaitable[int | None]]
MOST_AT_ONCE = 20


class NewConversation(Frozen):
    """What a conversation begins with."""

    metadata: Metadata | None = None
    items: list[dict[str, Any]] | None = Field(default=None, max_length=MOST_AT_ONCE)


class Change(Frozen):
    """What is said of a conversation from now on."""

    metadata: Metadata | None


class NewItems(Frozen):
    """What is added to a conversation."""

    items: list[dict[str, Any]] = Field(max_length=MOST_AT_ONCE)


def conversation_object(found: Conversation) -> dict[str, Any]:
    """Return a conversation as OpenAI shows it."""
    return {
        "id": found.id,
        "object": "conversation",
        "created_at": int(found.created_at),
        "metadata": dict(found.details),
    }


def conversations_router(
    store: ConversationStore, check: Check, most_bytes: MostBytes
) -> APIRouter:
    """Return the routes.

    `check` raises `ApiError` (400) for items that no model could be given; `most_bytes` is what all
    responses and conversations of a tenant may come to.
    """
    router = APIRouter(prefix="/v1/conversations", tags=["conversations"])
    _add_conversations(router, store, check, most_bytes)
    _add_writing_items(router, store, check, most_bytes)
    _add_reading_items(router, store)
    return router


def _add_conversations(
    router: APIRouter, store: ConversationStore, check: Check, most_bytes: MostBytes
) -> None:
    @router.post("")
    async def create_conversation(
        tenant: Tenant, asked: NewConversation | None = None
    ) -> dict[str, Any]:
        """Begin a conversation."""
        new = asked or NewConversation()
        items = await run_in_threadpool(_checked, new.items or [], check)
        most = await most_bytes(tenant)
        made = await run_in_threadpool(store.create, tenant, new.metadata or {}, items, most)
        return conversation_object(made)

    @router.get("/{conversation_id}")
    def retrieve_conversation(conversation_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Return what is known of a conversation."""
        return conversation_object(store.get(tenant, conversation_id))

    @router.post("/{conversation_id}")
    def update_conversation(conversation_id: Id, tenant: Tenant, asked: Change) -> dict[str, Any]:
        """Say something else of a conversation."""
        return conversation_object(store.update(tenant, conversation_id, asked.metadata or {}))

    @router.delete("/{conversation_id}")
    def delete_conversation(conversation_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Erase a conversation and all that was said in it."""
        store.delete(tenant, conversation_id)
        return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}


def _add_writing_items(
    router: APIRouter, store: ConversationStore, check: Check, most_bytes: MostBytes
) -> None:
    @router.post("/{conversation_id}/items")
    async def create_items(
        conversation_id: Id, tenant: Tenant, asked: NewItems, include: Include = None
    ) -> dict[str, Any]:
        """Add items to a conversation."""
        await run_in_threadpool(store.get, tenant, conversation_id)
        items = await run_in_threadpool(_checked, asked.items, check)
        most = await most_bytes(tenant)
        added = await run_in_threadpool(store.add, tenant, conversation_id, items, most)
        return list_object([dict(each.content) for each in added])

    @router.delete("/{conversation_id}/items/{item_id}")
    def delete_item(conversation_id: Id, item_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Erase one item."""
        return conversation_object(store.delete_item(tenant, conversation_id, item_id))


def _add_reading_items(router: APIRouter, store: ConversationStore) -> None:
    @router.get("/{conversation_id}/items")
    def list_items(
        conversation_id: Id,
        tenant: Tenant,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        order: Literal["asc", "desc"] = "desc",
        after: Annotated[str | None, Query(pattern=OPAQUE_ID)] = None,
        include: Include = None,
    ) -> dict[str, Any]:
        """List what was said, the last first."""
        store.get(tenant, conversation_id)
        return page_of(store, tenant, conversation_id, limit, after, order)

    @router.get("/{conversation_id}/items/{item_id}")
    def retrieve_item(
        conversation_id: Id, item_id: Id, tenant: Tenant, include: Include = None
    ) -> dict[str, Any]:
        """Return one item."""
        store.get(tenant, conversation_id)
        try:
            return dict(store.item(tenant, conversation_id, item_id).content)
        except NotFoundError as error:
            raise ApiError(404, f"There is no item {item_id}", param="item_id") from error


def _checked(items: list[dict[str, Any]], check: Check) -> tuple[Item, ...]:
    check(items)
    return kept_items(items)

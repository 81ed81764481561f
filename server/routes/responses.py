"""OpenAI's routes of stored responses: each is read from the database, whoever made it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Any, Literal, Protocol

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response, StreamingResponse

from memory.errors import NoPlaceError, NotFoundError
from memory.history.responses import ResponseStore
from memory.history.stored_response import StoredResponse
from server.refusals.errors import ApiError
from server.routes.paging import OPAQUE_ID, Id, list_object
from server.stored_responses import StoredResponses
from server.tenancy.principal import Tenant

Include = Annotated[list[str] | None, Query(alias="include[]", max_length=20)]
"""A response is shown with all that it was made with, and nothing is added later."""


class Handler(Protocol):
    """What makes responses."""

    async def end(self, response_id: str) -> None:
        """Make no more of a response, where it is this server that makes it."""
        ...

    def followed(
        self, found: StoredResponse, starting_after: int | None
    ) -> AsyncGenerator[Any, None]:
        """Yield what happens to a response in the background until nothing more will."""
        ...


def responses_router(
    store: ResponseStore, stored: StoredResponses, handler: Callable[[], Handler | None]
) -> APIRouter:
    """Return the routes; `handler` is None where the model answers no responses."""
    router = APIRouter(prefix="/v1/responses", tags=["responses"])
    _add_reading(router, store, stored, handler)
    _add_ending(router, stored, handler)
    return router


def _add_reading(
    router: APIRouter,
    store: ResponseStore,
    stored: StoredResponses,
    handler: Callable[[], Handler | None],
) -> None:
    @router.get("/{response_id}")
    async def retrieve_response(
        response_id: Id,
        tenant: Tenant,
        stream: bool = False,
        starting_after: Annotated[int | None, Query(ge=0, le=2**53)] = None,
        include: Include = None,
    ) -> Response:
        """Return a stored response, or follow one that is made in the background."""
        found = await _found(stored, tenant, response_id)
        if not stream:
            return JSONResponse(dict(found.body))
        if not found.body.get("background"):
            words = "only a response made in the background can be followed"
            raise ApiError(400, words, param="stream")
        if (maker := handler()) is None:
            raise ApiError(400, "the model that is served makes no responses", param="stream")
        events = maker.followed(found, starting_after)
        return StreamingResponse(_sent(events), media_type="text/event-stream")

    @router.get("/{response_id}/input_items")
    async def list_input_items(
        response_id: Id,
        tenant: Tenant,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        order: Literal["asc", "desc"] = "desc",
        after: Annotated[str | None, Query(pattern=OPAQUE_ID)] = None,
        include: Include = None,
    ) -> dict[str, Any]:
        """List what a response was asked, the last first."""
        await _found(stored, tenant, response_id)
        return await asyncio.to_thread(page_of, store, tenant, response_id, limit, after, order)


def page_of(
    store: Any,
    tenant: str,
    holder: str,
    limit: int,
    after: str | None,
    order: Literal["asc", "desc"],
) -> dict[str, Any]:
    """Return a page of the items of a response or a conversation, which is there."""
    try:
        found = store.items(tenant, holder, limit + 1, after, order)
    except NoPlaceError as error:
        raise ApiError(400, f"`after`: there is no item {after}", param="after") from error
    page = [dict(each.content) for each in found[:limit]]
    return list_object(page, has_more=len(found) > limit)


def _add_ending(
    router: APIRouter, stored: StoredResponses, handler: Callable[[], Handler | None]
) -> None:
    @router.post("/{response_id}/cancel")
    async def cancel_response(response_id: Id, tenant: Tenant) -> JSONResponse:
        """End a response that is made in the background; one that has ended stays as it is."""
        found = await _found(stored, tenant, response_id)
        if not found.body.get("background"):
            words = "only a response made in the background can be cancelled"
            raise ApiError(400, words, param="response_id")
        found = await stored.cancel(tenant, response_id)
        await _end(handler(), response_id)
        return JSONResponse(dict(found.body))

    @router.delete("/{response_id}")
    async def delete_response(response_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Erase a response: it can be neither retrieved nor gone on with."""
        await _found(stored, tenant, response_id)
        await stored.delete(tenant, response_id)
        await _end(handler(), response_id)
        return {"id": response_id, "object": "response", "deleted": True}


async def _found(stored: StoredResponses, tenant: str, response_id: str) -> StoredResponse:
    try:
        return await stored.get(tenant, response_id)
    except NotFoundError as error:
        raise ApiError(404, str(error), param="response_id") from error


async def _end(handler: Handler | None, response_id: str) -> None:
    if handler is not None:
        await handler.end(response_id)


async def _sent(events: AsyncGenerator[Any, None]) -> AsyncGenerator[str, None]:
    async for event in events:
        data = event.model_dump_json(by_alias=True)
        yield f"event: {event.type}\ndata: {data}\n\n"

"""OpenAI's routes of stored responses that vLLM does not have: what was asked, and deletion.

Whose a response is, `server.gateway.ownership` has looked at before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, Protocol

from fastapi import APIRouter, Query

from server.errors import ApiError
from server.routes.paging import Id, list_object


class StoredResponses(Protocol):
    """What is kept of responses."""

    def items_of(self, response_id: str) -> list[dict[str, Any]] | None:
        """Return what a response was asked; None where there is no such response."""
        ...

    async def delete(self, response_id: str) -> bool:
        """Forget a response, and end it where it is being made; False where there is none."""
        ...


def responses_router(stored: Callable[[], StoredResponses | None]) -> APIRouter:
    """Return the routes; `stored` is None where the model answers no responses."""
    router = APIRouter(prefix="/v1/responses", tags=["responses"])

    @router.get("/{response_id}/input_items")
    def list_input_items(
        response_id: Id,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        order: Literal["asc", "desc"] = "desc",
        after: str | None = None,
    ) -> dict[str, Any]:
        """List what a response was asked, the last first."""
        kept = stored()
        items = kept.items_of(response_id) if kept else None
        if items is None:
            raise _unknown(response_id)
        ordered = items if order == "asc" else items[::-1]
        ids = [item["id"] for item in ordered]
        if after is not None and after not in ids:
            raise ApiError(400, f"`after`: there is no item {after}", param="after")
        rest = ordered[ids.index(after) + 1 :] if after else ordered
        return list_object(rest[:limit], has_more=len(rest) > limit)

    @router.delete("/{response_id}")
    async def delete_response(response_id: Id) -> dict[str, Any]:
        """Forget a response: it can be neither retrieved nor gone on with."""
        kept = stored()
        if kept is None or not await kept.delete(response_id):
            raise _unknown(response_id)
        return {"id": response_id, "object": "response", "deleted": True}

    return router


def _unknown(response_id: str) -> ApiError:
    return ApiError(404, f"Response with id '{response_id}' not found.", param="response_id")

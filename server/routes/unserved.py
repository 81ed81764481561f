"""OpenAI's routes that are not served here, where another route would claim them.

`/v1/responses/{response_id}` takes any name for an id, and would answer 405.
"""

from __future__ import annotations

from fastapi import APIRouter, Request

from server.refusals.errors import ApiError

PATHS = ("/v1/responses/compact", "/v1/responses/input_tokens")


def unserved_router() -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)
    for path in PATHS:
        router.add_api_route(path, refuse, methods=["POST"])
    return router


async def refuse(request: Request) -> None:
    """Say that there is no such route."""
    raise ApiError(404, f"There is no {request.method} {request.url.path}; /docs lists the routes")

"""`/ready`: whether the server can answer, and which of its parts stand behind the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter
from starlette.responses import JSONResponse

Checks = Callable[[], Awaitable[tuple[bool, Mapping[str, str]]]]
"""Returns whether the engine can answer, and one line for each part."""


def ready_router(checks: Checks) -> APIRouter:
    """Return the route: 200 while the engine can answer, 503 otherwise."""
    router = APIRouter(tags=["status"])

    @router.get("/ready")
    async def ready() -> JSONResponse:
        is_ready, parts = await checks()
        body = {"status": "ready" if is_ready else "unavailable", **parts}
        return JSONResponse(body, 200 if is_ready else 503)

    return router

"""`/ready`: whether the server can answer, and which of its parts stand behind the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter

from server.errors import ApiError

Checks = Callable[[], Awaitable[tuple[bool, Mapping[str, str]]]]
"""Returns whether the engine can answer, and one line for each part."""


def ready_router(checks: Checks) -> APIRouter:
    """Return the route: 200 while the engine can answer, 503 otherwise."""
    router = APIRouter(tags=["status"])

    @router.get("/ready")
    async def ready() -> dict[str, str]:
        is_ready, parts = await checks()
        if not is_ready:
            raise ApiError(503, "; ".join(f"{part}: {state}" for part, state in parts.items()))
        return {"status": "ready", **parts}

    return router

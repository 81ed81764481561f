"""`/ready`: whether the server can answer, and which of its parts stand behind the answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Request, Response

from server.refusals.errors import STOPPING, ApiError
from server.tenancy.principal import principal_of

Checks = Callable[[], Awaitable[tuple[bool, Mapping[str, str]]]]
"""Returns whether the engine can answer, and one line for each part."""

AGE_S = 2.0
PATIENCE_S = 1.0


class Probe:
    """A check that takes a thread and may take long: asked now and then, however often `/ready` is.

    It runs once at a time; whoever asks while it runs waits `PATIENCE_S` for its word.
    """

    def __init__(self, check: Callable[[], str | None], age_s: float = AGE_S) -> None:
        """`check` names the problem, if there is one; its word holds for `age_s`."""
        self._check = check
        self._age_s = age_s
        self._asked_at = -float("inf")
        self._asking: asyncio.Task[str | None] | None = None

    async def problem(self, patience_s: float = PATIENCE_S) -> str | None:
        """Return the problem, None where there is none."""
        is_due = time.monotonic() - self._asked_at >= self._age_s
        if self._asking is None or (is_due and self._asking.done()):
            self._asked_at = time.monotonic()
            self._asking = asyncio.create_task(asyncio.to_thread(self._check))
        await asyncio.wait([self._asking], timeout=patience_s)
        return self._asking.result() if self._asking.done() else "does not answer"


def ready_router(
    checks: Checks, lives: Callable[[], bool], is_leaving: Callable[[], bool]
) -> APIRouter:
    """Return the routes: 200 while the engine can answer, or while the server lives; else 503."""
    router = APIRouter(tags=["status"])

    @router.get("/health", response_class=Response)
    async def health() -> Response:
        """Answer 200 as long as nobody has to start this server again."""
        return Response(status_code=200 if lives() else 503)

    @router.get("/ready", response_model=dict[str, str])
    async def ready(request: Request) -> Response | dict[str, str]:
        """Answer whoever asks; the parts are shown to the operator only.

        A server that is not ready is no error of the request's: nothing is raised, or logged.
        """
        if is_leaving():
            return ApiError(503, STOPPING).response()
        is_ready, parts = await checks()
        caller = principal_of(request.scope)
        shown = parts if caller is not None and caller.is_operator else {}
        if not is_ready:
            told = "; ".join(f"{part}: {state}" for part, state in shown.items())
            return ApiError(503, told or "the server cannot answer: its log says why").response()
        return {"status": "ready", **shown}

    return router

"""`/v1/traces`: how the caller's latest answers came about, and those that are being found now."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from adaptation.options import Strategy
from memory.memory import LongTermMemory
from memory.types import Frozen
from server.routes.elsewhere import Elsewhere
from server.routes.paging import OPAQUE_ID, Id, list_object
from server.telemetry.live import Live, Watcher
from server.tenancy.principal import Caller, Principal, Tenant

MOST = 200
FLUSH_S = 1.0
"""What a reader waits for traces that are being written."""
LOOK_S = 1.0
"""How soon a stream notices that the server stops, or that its key ended."""
SILENCE_S = 15.0
LASTS_S = 900.0
"""A stream ends after that, and its watcher comes again: he may not be let in by now."""
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
StillAdmits: TypeAlias = Callable[[Principal], Awaitable[bool]]
"""Whether what let somebody in still does."""
OPENING, KEEP_ALIVE = "retry: 2000\n: watching\n\n", ": keep-alive\n\n"


class TraceFilter(Frozen):
    """Which traces to list."""

    strategy: Strategy | None = None
    """The one that answered, whatever was asked for."""
    limit: int = Field(default=50, ge=1, le=MOST)
    after: str | None = Field(default=None, pattern=OPAQUE_ID)
    """The last id of the page before."""


def traces_router(
    memory: LongTermMemory,
    live: Live,
    is_closed: Callable[[], bool],
    still_admits: StillAdmits,
    elsewhere: Elsewhere,
) -> APIRouter:
    """Return the routes; a stream ends where the server `is_closed`, and with its key."""
    router = APIRouter(prefix="/v1/traces", tags=["adaptation"])
    traces = memory.request_traces

    @router.get("")
    def list_traces(wanted: Annotated[TraceFilter, Query()], tenant: Tenant) -> dict[str, Any]:
        """List how answers came about, in short, newest first."""
        memory.completions.flush(FLUSH_S)
        found = traces.page(tenant, wanted.limit + 1, wanted.after, wanted.strategy)
        return list_object(found[: wanted.limit], has_more=len(found) > wanted.limit)

    @router.get("/live")
    async def watch(caller: Caller) -> StreamingResponse:
        """Stream the voted requests under way: `started`, `sample`, `finished`, `dropped`."""
        # Begun here, or a burst would get past the bound. It ends with a stream that never begins.
        watching = ExitStack()
        watcher = watching.enter_context(live.watching(caller.tenant))
        events = _events(watcher, watching, is_closed, partial(still_admits, caller))
        return StreamingResponse(events, headers=HEADERS, media_type="text/event-stream")

    @router.get("/{trace_id}")
    async def get_trace(trace_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Return everything that is told of one answer; it has the completion's id."""
        found = await elsewhere.found(memory.aside.reading, written, tenant, trace_id)
        links = {"lineage": f"/v1/trace/{trace_id}", "report": f"/v1/reports/{trace_id}"}
        return found | {"links": links}

    def written(tenant: str, trace_id: str) -> dict[str, Any]:
        memory.completions.flush(FLUSH_S)
        return traces.get(tenant, trace_id)

    return router


async def _events(
    watcher: Watcher,
    watching: ExitStack,
    is_closed: Callable[[], bool],
    still_admits: Callable[[], Awaitable[bool]],
) -> AsyncIterator[str]:
    with watching:
        yield OPENING
        began = heard = looked = time.monotonic()
        while not is_closed() and time.monotonic() - began < LASTS_S:
            if time.monotonic() - looked >= LOOK_S:
                if not await still_admits():
                    return
                looked = time.monotonic()
            if (news := await watcher.next(LOOK_S)) is not None:
                kind, content = news
                yield f"event: {kind}\ndata: {json.dumps(content)}\n\n"
                heard = time.monotonic()
            elif time.monotonic() - heard >= SILENCE_S:
                yield KEEP_ALIVE
                heard = time.monotonic()

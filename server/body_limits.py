"""A request's body, wholly there and of a bearable shape before anything else is done for it.

It is read before a place is taken (`server.admission`), so that a body that never ends holds
nothing; and it is looked at before it is parsed, because parsing holds the event loop. Pure ASGI.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.config import Settings
from server.errors import ApiError
from server.json_scan import BLOCK_BYTES, JsonScan
from server.request_context import route_path

LINES = frozenset({"/v1/memory/import"})
"""Routes whose body is read line by line, by themselves."""
FIELDS = (
    *("messages", "input", "prompt", "tools", "response_format", "text", "adaptation", "stop"),
    *("structured_outputs", "logit_bias", "metadata", "documents", "chat_template_kwargs"),
    *("instructions", "include", "tool_choice", "functions", "token_ids", "stop_token_ids"),
)
"""Keys of a request that hold much, for a refusal to name."""


class BodyLimits:
    """Answers 408 where a body does not come in time, 400 where it has too many parts."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["method"] not in ("POST", "PUT", "PATCH"):
            await self._app(scope, receive, send)
            return
        try:
            body = await self._read(Request(scope, receive))
            if _may_be_json(scope):
                await self._check(body)
        except ClientDisconnect:
            return
        except ApiError as error:
            await error.response()(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    async def _read(self, request: Request) -> bytes:
        """Return the body; raises `ApiError` (408)."""
        time_s = self._settings.body_timeout_s
        try:
            async with asyncio.timeout(time_s):
                return await request.body()
        except TimeoutError:
            what = f"The request body did not arrive within {time_s:g} s (body_timeout_s)"
            raise ApiError(408, f"{what}; send it again") from None

    async def _check(self, body: bytes) -> None:
        """Raise `ApiError` (400) for what would take long to parse, before it is."""
        limits, scan = self._settings, JsonScan()
        async for end in _blocks(body, scan):
            for found, limit, what in (
                (scan.items, limits.max_body_items, "objects in its lists (max_body_items)"),
                (scan.parts, limits.max_body_parts, "objects, arrays and strings (max_body_parts)"),
                (scan.values, limits.max_body_values, "values (max_body_values)"),
                (scan.deepest, limits.max_body_depth, "levels of nesting (max_body_depth)"),
            ):
                if found > limit:
                    param = _largest_field(body, end)
                    where = f"`{param}`" if param else "The request body"
                    raise ApiError(
                        400, f"{where}: more than {limit} {what}; send less", param=param
                    )


async def _blocks(body: bytes, scan: JsonScan) -> AsyncIterator[int]:
    """Scan block by block, others running in between; yield where each ends."""
    for start in range(0, len(body), BLOCK_BYTES):
        scan.add(body[start : start + BLOCK_BYTES])
        yield start + BLOCK_BYTES
        await asyncio.sleep(0)


def _largest_field(body: bytes, end: int) -> str | None:
    """Return the key, of those that hold much, that is followed by most before the next."""
    found = ((body.find(f'"{name}"'.encode(), 0, end), name) for name in FIELDS)
    places = sorted((place, name) for place, name in found if place >= 0)
    marks = [*places, (min(end, len(body)), "")]
    stretches = [(stop - start, name) for (start, name), (stop, _) in pairwise(marks)]
    return max(stretches)[1] if stretches else None


def _may_be_json(scope: Scope) -> bool:
    kind = Headers(scope=scope).get("content-type", "")
    return not kind.startswith("multipart/") and route_path(scope) not in LINES


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives `body` once, then whatever the client does (disconnect)."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay

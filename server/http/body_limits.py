"""A request's body, wholly there and of a bearable shape before anything else is done for it.

It is read before a place is taken (`server.http.admission`), so that a body that never ends holds
nothing; and it is looked at before it is parsed, because parsing holds the event loop. Pure ASGI.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from server.config import DEFAULT_TENANT, Settings
from server.http.adaptation_middleware import TAKEN_PATHS
from server.http.body_room import BodyRoom, Take
from server.http.json_scan import BLOCK_BYTES, JsonScan
from server.http.replay import replayed
from server.refusals.errors import ApiError
from server.requests.request_context import route_path
from server.tenancy.principal import PRINCIPAL

LINES = frozenset({"/v1/memory/import"})
"""Routes whose body is read line by line, by themselves."""
ITEMS = "objects in its lists (max_body_items)"
PARTS = "objects, arrays and strings (max_body_parts)"
VALUES = "values (max_body_values)"
LEVELS = "levels of nesting (max_body_depth)"
LONGEST_KEY = 64
"""Bytes of a key that a refusal repeats."""
_TOKENS = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)(?:"|\\?\Z)|[\[\]{}:,]', re.DOTALL)
"""Strings, also one that is cut off, and what opens, closes, names and parts."""
_OPENING, _CLOSING = b"[{", b"]}"


Measure = Callable[[int, int], int]
"""From what a value has come to and the depth of its next token to what it comes to then."""


class BodyLimits:
    """Answers 408 where a body does not come in time, 400 where it has too much text or parts,
    429 and 503 where there is no room for it.

    Where somebody without a key is let in, nothing takes a body, and none is read.
    """

    def __init__(self, app: ASGIApp, settings: Settings, *, text_only: bool = True) -> None:
        """`text_only` says that the model takes nothing that is large for good reason."""
        self._app = app
        self._settings = settings
        self._most = settings.max_body_text if text_only else settings.max_body_bytes
        self._room = BodyRoom(settings.max_bodies_bytes, settings.max_body_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["method"] not in ("POST", "PUT", "PATCH"):
            await self._app(scope, receive, send)
            return
        principal = scope.get(PRINCIPAL)
        if principal is None and PRINCIPAL in scope:
            await self._app(scope, replayed(b"", receive), send)
            return
        tenant = DEFAULT_TENANT if principal is None else principal.tenant
        with self._room.of(tenant) as take:
            try:
                body = await self._read(Request(scope, receive), take)
                if _may_be_json(scope):
                    await self._check(body)
            except ClientDisconnect:
                return
            except ApiError as error:
                await error.response()(scope, receive, send)
                return
            await self._app(scope, replayed(body, receive), send)

    async def _read(self, request: Request, take: Take) -> bytes:
        """Return the body; raises `ApiError` (408, 429, 503)."""
        time_s, pieces = self._settings.body_timeout_s, list[bytes]()
        try:
            async with asyncio.timeout(time_s):
                async for piece in request.stream():
                    take(len(piece))
                    pieces.append(piece)
        except TimeoutError:
            what = f"The request body did not arrive within {time_s:g} s (body_timeout_s)"
            raise ApiError(408, f"{what}; send it again") from None
        return b"".join(pieces)

    async def _check(self, body: bytes) -> None:
        """Raise `ApiError` (400) for what would take long to parse, before it is."""
        if len(body) > self._most:
            what = f"more than {self._most} bytes of text (max_body_text)"
            raise ApiError(400, f"The request body: {what}; send less")
        # In UTF-16 and UTF-32, which Python's parser takes, a scan by bytes misreads escapes. They
        # hold zeros, which valid JSON in UTF-8 never does.
        if b"\0" in body:
            raise ApiError(400, "The request body must be JSON in UTF-8")
        if len(body) <= BLOCK_BYTES and self._exceeded(JsonScan.at_most(body)) is None:
            return
        scan = JsonScan()
        async for end in _blocks(body, scan):
            if (exceeded := self._exceeded(scan)) is not None:
                limit, measure, what = exceeded
                param = await asyncio.to_thread(_key_of, measure, body[:end])
                where = f"`{param}`" if param else "The request body"
                raise ApiError(400, f"{where}: more than {limit} {what}; send less", param=param)

    def _exceeded(self, scan: JsonScan) -> tuple[int, Measure, str] | None:
        """Return the limit that is passed first, how it is measured, and of what."""
        limits = self._settings
        for found, limit, measure, what in (
            (scan.items, limits.max_body_items, _counted, ITEMS),
            (scan.parts, limits.max_body_parts, _counted, PARTS),
            (scan.values, limits.max_body_values, _counted, VALUES),
            (scan.deepest, limits.max_body_depth, max, LEVELS),
        ):
            if found > limit:
                return limit, measure, what
        return None


async def _blocks(body: bytes, scan: JsonScan) -> AsyncIterator[int]:
    """Scan block by block, others running in between; yield where each ends."""
    for start in range(0, len(body), BLOCK_BYTES):
        scan.add(body[start : start + BLOCK_BYTES])
        yield start + BLOCK_BYTES
        await asyncio.sleep(0)


def _key_of(measure: Measure, beginning: bytes) -> str | None:
    """Return the outermost key whose value has most of what is measured, in a body's beginning."""
    depth, last, key = 0, b"", b""
    most: dict[bytes, int] = {}
    for token in _TOKENS.finditer(beginning):
        mark = token[0]
        if mark == b":":
            key = last if depth == 1 else key
            continue
        depth += (mark in _OPENING) - (mark in _CLOSING)
        if depth > 1:
            most[key] = measure(most.get(key, 0), depth)
        last = token[1] or b""
    key = max(most, key=most.__getitem__, default=b"")
    return key.decode("utf-8", "replace") if 0 < len(key) <= LONGEST_KEY else None


def _counted(count: int, depth: int) -> int:
    return count + 1


def _may_be_json(scope: Scope) -> bool:
    kind = Headers(scope=scope).get("content-type", "")
    is_form = kind.startswith("multipart/") and route_path(scope) not in TAKEN_PATHS
    return not is_form and route_path(scope) not in LINES

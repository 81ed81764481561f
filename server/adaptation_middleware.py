"""Around vLLM's generation routes: take the `adaptation` object off the request, put the report on.

Pure ASGI: `BaseHTTPMiddleware` would hide disconnects and buffer streams.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adaptation.errors import AdaptationError, DeadlineError
from adaptation.options import Strategy
from adaptation.verifiers import build_verifiers
from server.adaptation_request import take_context, take_nothing
from server.adaptation_response import attach, attach_to_event, progress_event
from server.config import Settings
from server.errors import ApiError, api_error
from server.openai_form import drop_nulls
from server.replay import replayed
from server.report_headers import telling
from server.request_context import (
    CHAT,
    COMPLETIONS,
    CURRENT,
    RESPONSES,
    RequestContext,
    route_path,
)
from server.soundness import sound_object
from server.tenants import tenant_of

ADAPTED_PATHS = frozenset({CHAT, COMPLETIONS, RESPONSES})
PLAIN_PATHS = frozenset({"/v1/messages", "/invocations", "/v1/chat/completions/batch"})
"""Generation routes that vLLM serves alone."""
CHECKED_PATHS = frozenset({"/v1/embeddings", "/v1/messages/count_tokens", "/tokenize"})
"""Routes of others whose bodies go through a tokenizer: looked at, and passed on as they came."""
TAKEN_PATHS = ADAPTED_PATHS | PLAIN_PATHS | CHECKED_PATHS
FIRST = b": the vote has begun\n\n"
"""A comment: completions have no chunk that says nothing, and a client should hear something."""


class AdaptationMiddleware:
    """Makes a request's options known to the engine client, and its report to the client."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or route_path(scope) not in TAKEN_PATHS:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        raw = await request.body()
        try:
            body = sound_object(raw)
            await asyncio.sleep(0)  # of a long text, each step takes long enough
            if body is None and route_path(scope) == "/invocations":
                raise ApiError(400, "The request body must be a JSON object")
            if body is None or route_path(scope) in CHECKED_PATHS:
                # The route words the refusal of what is no JSON object.
                await self._app(scope, replayed(raw, receive), send)
                return
            context = await self._take(route_path(scope), body, tenant_of(request))
        except (ApiError, AdaptationError) as error:
            await api_error(error).response()(scope, receive, send)
            return
        stripped = json.dumps(body, ensure_ascii=False).encode()
        await asyncio.sleep(0)
        scope, receive = _with_length(scope, len(stripped)), replayed(stripped, receive)
        if context is None:
            await self._app(scope, receive, send)
        else:
            await self._run(scope, receive, send, context)

    async def _take(self, path: str, body: dict[str, Any], tenant: str) -> RequestContext | None:
        drop_nulls(body)
        if path not in ADAPTED_PATHS:
            take_nothing(path, body)
            return None
        context = take_context(path, body, self._settings, tenant)
        if context is not None and context.options.verifiers:
            await _give_verifiers(context)
        return context

    async def _run(
        self, scope: Scope, receive: Receive, send: Send, context: RequestContext
    ) -> None:
        token = CURRENT.set(context)
        send = telling(send, context, scope.get("root_path", ""))
        try:
            if context.route == RESPONSES:  # amended by its handler, before it is stored
                await self._app(scope, receive, send)
                return
            response = _Response(send, context)
            async with response.showing_progress():
                await self._app(scope, receive, response.send)
        finally:
            CURRENT.reset(token)


async def _give_verifiers(context: RequestContext) -> None:
    """Build what the request asks for; raises AdaptationError."""
    left_s = context.deadline - time.monotonic()
    try:
        async with asyncio.timeout(None if left_s == math.inf else left_s):
            context.verifiers = await build_verifiers(context.options.verifiers)
    except TimeoutError as error:
        raise DeadlineError("the deadline passed before the verifiers were built") from error


class _Response:
    """One response on its way out; streams pass event by event, other bodies as a whole."""

    def __init__(self, send: Send, context: RequestContext) -> None:
        self._send = send
        self._context = context
        self._start: Message | None = None
        self._is_stream = False
        self._pending = b""
        self._sending = asyncio.Lock()
        self._ended = False

    @property
    def _is_vote(self) -> bool:
        return self._context.options.strategy is not Strategy.PLAIN

    @asynccontextmanager
    async def showing_progress(self) -> AsyncIterator[None]:
        """Send the votes as they come in, where the client asked for that."""
        if self._context.progress is None:
            yield
            return
        task = asyncio.create_task(self._show_progress())
        try:
            yield
        finally:
            task.cancel()

    async def _show_progress(self) -> None:
        while self._context.progress is not None:
            body = progress_event(await self._context.progress.get(), self._context)
            async with self._sending:
                if self._is_stream and not self._ended:
                    await self._send(
                        {"type": "http.response.body", "body": body, "more_body": True}
                    )
            self._context.progress.task_done()

    async def send(self, message: Message) -> None:
        """Forward one ASGI message."""
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif message["type"] != "http.response.body" or (
            self._start is None and not self._is_stream
        ):
            await self._send(message)
        elif self._is_stream:
            await self._forward_events(message)
        else:
            await self._forward_whole(message)

    async def _begin(self, message: Message) -> None:
        kind = Headers(raw=message["headers"]).get("content-type", "")
        self._is_stream = kind.startswith("text/event-stream")
        if message["status"] == 200 and kind.startswith("application/json"):
            self._start = message  # held back: its content-length will change
        else:
            async with self._sending:  # no progress event before the start
                await self._send(message)
                if self._is_stream and self._context.route == COMPLETIONS and self._is_vote:
                    body = {"type": "http.response.body", "body": FIRST, "more_body": True}
                    await self._send(body)

    async def _forward_events(self, message: Message) -> None:
        *events, self._pending = (self._pending + message.get("body", b"")).split(b"\n\n")
        out = b"".join(attach_to_event(event + b"\n\n", self._context) for event in events)
        if not message.get("more_body"):
            out += self._pending
        if out or not message.get("more_body"):
            async with self._sending:
                self._ended = not message.get("more_body")
                await self._send({**message, "body": out})

    async def _forward_whole(self, message: Message) -> None:
        self._pending += message.get("body", b"")
        if message.get("more_body"):
            return
        assert self._start is not None
        body = attach(self._pending, self._context)
        headers = MutableHeaders(raw=self._start["headers"])
        headers["content-length"] = str(len(body))
        await self._send({**self._start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body})


def _with_length(scope: Scope, length: int) -> Scope:
    # vLLM would make the completion's id of the client's request id, which need not be unique.
    dropped = (b"content-length", b"x-request-id")
    headers = [(name, value) for name, value in scope["headers"] if name not in dropped]
    return {**scope, "headers": [*headers, (b"content-length", str(length).encode())]}

"""Comments that keep a silent stream of responses open; vLLM sends them on chat and completions."""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.requests.request_context import RESPONSES, route_path

COMMENT: Message = {
    "type": "http.response.body",
    "body": b": keep-alive\n\n",
    "more_body": True,
}


class KeepAlive:
    """Sends a comment after each `interval_s` of silence; 0 sends none."""

    def __init__(self, app: ASGIApp, interval_s: float) -> None:
        self._app = app
        self._interval_s = interval_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        is_ours = scope["type"] == "http" and route_path(scope).startswith(RESPONSES)
        if not is_ours or self._interval_s <= 0:
            await self._app(scope, receive, send)
            return
        stream = _Stream(send, self._interval_s)
        beating = asyncio.create_task(stream.beat())
        try:
            await self._app(scope, receive, stream.send)
        finally:
            beating.cancel()


class _Stream:
    """One response, of which only events may be interrupted by comments."""

    def __init__(self, send: Send, interval_s: float) -> None:
        self._send = send
        self._interval_s = interval_s
        self._sending = asyncio.Lock()
        self._is_open = False
        self._last = time.monotonic()

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        async with self._sending:
            if message["type"] == "http.response.start":
                kind = Headers(raw=message["headers"]).get("content-type", "")
                self._is_open = kind.startswith("text/event-stream")
            elif message["type"] == "http.response.body" and not message.get("more_body", False):
                self._is_open = False
            await self._send(message)
            self._last = time.monotonic()

    async def beat(self) -> None:
        """Send a comment whenever nothing else was sent for so long."""
        while True:
            await asyncio.sleep(self._last + self._interval_s - time.monotonic())
            async with self._sending:
                if time.monotonic() - self._last >= self._interval_s:
                    if self._is_open:
                        await self._send(COMMENT)
                    self._last = time.monotonic()

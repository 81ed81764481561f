"""Passing requests on to a server of this machine, as an ASGI application.

Owns bodies and streams as they come, and that a client who is gone is known there by the end of the
connection. Knows nothing of what is asked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import httpx

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

OF_ONE_CONNECTION = frozenset(
    {b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
"""Headers that say something of a connection, and are nothing to pass on (RFC 9110, 7.6.1)."""
RETRY_AFTER_S = 5


class Way:
    """An ASGI application that passes requests on to a server of this machine."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=None))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of ASGI's."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._until_gone(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await self._transport.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _until_gone(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on; where its client goes, the server learns that at once."""
        body = Body(receive)
        if not _has_body(scope["headers"]):
            body.none()
        tasks = [
            asyncio.ensure_future(self._pass_on(scope, body, send)),
            asyncio.ensure_future(body.client_gone()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended, _ = await asyncio.gather(*tasks, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended

    async def _pass_on(self, scope: Scope, body: Body, send: Send) -> None:
        path = scope.get("raw_path") or scope["path"].encode()
        root = scope.get("root_path", "").encode()
        request = httpx.Request(
            scope["method"],
            httpx.URL(self._url).copy_with(raw_path=_target(path, root, scope["query_string"])),
            headers=_passed_on(scope["headers"]),
            content=body.chunks() if _has_body(scope["headers"]) else None,
        )
        try:
            response = await self._transport.handle_async_request(request)
        except httpx.TransportError:
            await _refuse(send)
            return
        try:
            start = {"type": "http.response.start", "status": response.status_code}
            await send({**start, "headers": _passed_on(response.headers.raw)})
            async for chunk in response.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await response.aclose()


class Body:
    """What a client sends, and that it is gone."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_read, self._is_gone = asyncio.Event(), asyncio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes; ends the connection of one that breaks off."""
        while (message := await self._receive())["type"] == "http.request":
            yield message.get("body", b"")
            if not message.get("more_body", False):
                self._is_read.set()
                return
        self._is_gone.set()
        raise httpx.ReadError("the client is gone")

    async def client_gone(self) -> None:
        """Await that; the body is read first, by whoever passes it on."""
        reading = asyncio.ensure_future(self._is_read.wait())
        gone = asyncio.ensure_future(self._is_gone.wait())
        try:
            await asyncio.wait([reading, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            reading.cancel()
            gone.cancel()
        while not self._is_gone.is_set():
            if (await self._receive())["type"] == "http.disconnect":
                self._is_gone.set()

    def none(self) -> None:
        """Say that there is none to read."""
        self._is_read.set()


def _target(path: bytes, root: bytes, query: bytes) -> bytes:
    """Return what is asked for, without the prefix under which the application is served."""
    within = path.removeprefix(root) or b"/"
    return within + b"?" + query if query else within


def _passed_on(headers: Headers) -> list[tuple[bytes, bytes]]:
    named = {
        name.strip().lower()
        for key, value in headers
        if key.lower() == b"connection"
        for name in value.split(b",")
    }
    return [(key, value) for key, value in headers if key.lower() not in OF_ONE_CONNECTION | named]


def _has_body(headers: Headers) -> bool:
    return any(key.lower() in (b"content-length", b"transfer-encoding") for key, _ in headers)


async def _refuse(send: Send) -> None:
    """Say that the server is not there, in the form of all errors."""
    told = {"message": "this replica's server is not there: ask again", "param": None}
    body = json.dumps({"error": {**told, "type": "service_unavailable", "code": None}}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", str(RETRY_AFTER_S).encode()),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})

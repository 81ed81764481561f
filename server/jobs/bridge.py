"""The way by which the process of a job asks the server that began it: a pair of sockets.

So a job asks in its tenant's name without a key and whatever address the server has. A message is
its length in four bytes, and JSON.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import httpx

logger = logging.getLogger(__name__)

LENGTH_BYTES = 4
JSON = {"content-type": "application/json"}
KEPT_HEADERS = ("content-type", "retry-after")
GONE = "the server is gone that this job asks"


async def answer(mine: socket.socket, client: httpx.AsyncClient) -> None:
    """Have `client` answer what comes, several at a time, until the other side ends."""
    reader, writer = await asyncio.open_connection(sock=mine)
    writing, under_way = asyncio.Lock(), set[asyncio.Task[None]]()

    async def one(asked: dict[str, Any]) -> None:
        told = await _answered(client, asked)
        async with writing:
            _send(writer, told)
            with suppress(ConnectionError):
                await writer.drain()

    try:
        while (asked := await _received(reader)) is not None:
            task = asyncio.create_task(one(asked))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        writer.close()


async def _answered(client: httpx.AsyncClient, asked: dict[str, Any]) -> dict[str, Any]:
    sent = JSON | asked["headers"]
    try:
        response = await client.request(
            asked["method"], asked["path"], content=asked["body"].encode(), headers=sent
        )
    except Exception as error:  # whoever asked would wait for ever
        logger.exception("%s %s of a job failed", asked["method"], asked["path"])
        body = {"error": {"message": f"the server failed: {error}", "type": "server_error"}}
        return {"id": asked["id"], "status": 500, "headers": JSON, "body": json.dumps(body)}
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    told = {"status": response.status_code, "headers": headers, "body": response.text}
    return {"id": asked["id"], **told}


class BridgeTransport(httpx.AsyncBaseTransport):
    """Asks by a socket; what is asked at once is told apart by numbers."""

    def __init__(
        self, mine: socket.socket, headers: Callable[[], Mapping[str, str]] = dict
    ) -> None:
        """`headers` returns those that go with a request."""
        self._mine, self._headers = mine, headers
        self._ids = itertools.count()
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Ask the server; raises `httpx.ConnectError` where it is gone."""
        body = (await request.aread()).decode()
        writer, number = await self._opened(), next(self._ids)
        coming = self._waiting[number] = asyncio.get_running_loop().create_future()
        asked = {"method": request.method, "path": request.url.raw_path.decode(), "body": body}
        try:
            _send(writer, {"id": number, **asked, "headers": dict(self._headers())})
            await writer.drain()
            async with asyncio.timeout(request.extensions.get("timeout", {}).get("read")):
                told = await coming
        except TimeoutError as error:
            raise httpx.ReadTimeout("the server did not answer in time") from error
        except ConnectionError as error:
            raise httpx.ConnectError(GONE) from error
        finally:
            del self._waiting[number]
        return httpx.Response(told["status"], headers=told["headers"], text=told["body"])

    async def aclose(self) -> None:
        """End the connection."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()

    async def _opened(self) -> asyncio.StreamWriter:
        async with self._opening:
            if self._writer is None:
                reader, self._writer = await asyncio.open_connection(sock=self._mine)
                self._reading = asyncio.create_task(self._read(reader))
            elif self._reading is not None and self._reading.done():
                raise httpx.ConnectError(GONE)
            return self._writer

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while (told := await _received(reader)) is not None:
            coming = self._waiting.get(told["id"])
            if coming is not None and not coming.done():
                coming.set_result(told)
        for coming in self._waiting.values():
            if not coming.done():
                coming.set_exception(ConnectionResetError(GONE))


def _send(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    content = json.dumps(message).encode()
    writer.write(len(content).to_bytes(LENGTH_BYTES) + content)


async def _received(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """Return the next message; None at the end."""
    try:
        length = int.from_bytes(await reader.readexactly(LENGTH_BYTES))
        message: dict[str, Any] = json.loads(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return message

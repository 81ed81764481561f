"""A request's head is there in time and of a bearable size, whoever sends it; real connections."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from server.http.heads import bounded_heads
from tests.e2e.running import free_port
from tests.server.listening import Listener

MOST_BYTES, MOST_HEADERS = 100_000, 20
START = b"POST / HTTP/1.1\r\nHost: x\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer at once with the path, but at `/slow` after the body."""
    message = {"more_body": scope["path"] == "/slow"}
    while message.get("more_body"):
        message = await receive()
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


class Connection:
    """What a client sends and is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError:  # it was cut off: what is told then is read all the same
            return

    async def told_of(self, beginning: bytes, more: bytes) -> bytes:
        """Return what comes until the end, of a beginning that goes on until then."""
        told = asyncio.create_task(self.told())
        await self.send(beginning)
        for _ in range(1000):
            if told.done():
                break
            await self.send(more)
            await asyncio.sleep(0.01)
        return await told

    async def told(self) -> bytes:
        """Return all that comes until the server ends the connection."""
        found = b""
        async with asyncio.timeout(30):
            try:
                while piece := await self._reader.read(2**16):
                    found += piece
            except ConnectionError:
                return found
        return found


@asynccontextmanager
async def connected(time_s: float = 60.0) -> AsyncIterator[Connection]:
    args = argparse.Namespace(
        h11_max_incomplete_event_size=MOST_BYTES, h11_max_header_count=MOST_HEADERS
    )
    port, protocol = free_port(), bounded_heads(args, time_s)
    config = uvicorn.Config(app, port=port, http=protocol, lifespan="off", log_level="critical")  # type: ignore[arg-type]
    listener = Listener(config)
    serving = asyncio.create_task(listener.serve())
    await listener.listens.wait()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
        listener.should_exit = True
        await serving


def error_of(told: bytes) -> tuple[int, str]:
    """Return status and message of the last answer, which has the shape of all errors."""
    head, _, body = told[told.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return int(head.split()[1]), error["message"]


@pytest.mark.parametrize(
    ("beginning", "more"),
    [(b"X: ", b"a" * 2**14), (b"", b"a" * 2**14), (b"", b"X: a\r\n")],
    ids=["one value", "one name", "many"],
)
async def test_a_head_that_is_too_large_is_refused_before_its_end(
    beginning: bytes, more: bytes
) -> None:
    async with connected() as client:
        status, message = error_of(await client.told_of(START + beginning, more))
    assert status == 431
    assert str(MOST_BYTES) in message
    assert str(MOST_HEADERS) in message


async def test_a_head_that_does_not_end_is_refused_in_time() -> None:
    async with connected(time_s=0.2) as client:
        await client.send(START)
        status, message = error_of(await client.told())
    assert status == 408
    assert "body_timeout_s" in message


async def test_the_head_of_a_later_request_is_waited_for_no_longer() -> None:
    async with connected(time_s=0.2) as client:
        await client.send(START + b"Content-Length: 0\r\n\r\n")
        await client.send(START)
        told = await client.told()
    assert told.startswith(b"HTTP/1.1 200")
    assert error_of(told)[0] == 408


@pytest.mark.parametrize(
    ("sent", "answers"),
    [
        (b"", 0),
        (START + b"Content-Length: 1000\r\n\r\nx", 1),
        (START + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc", 1),
    ],
    ids=["nothing", "a body", "chunks"],
)
async def test_who_goes_on_with_nothing_to_be_answered_is_cut_off(
    sent: bytes, answers: int
) -> None:
    async with connected(time_s=0.2) as client:
        await client.send(sent)
        assert (await client.told()).count(b"HTTP/1.1 ") == answers


@pytest.mark.parametrize("ending", [b"0\r\nX: ", b"5;x="], ids=["trailer", "extension"])
async def test_what_is_kept_of_a_body_is_bounded_too(ending: bytes) -> None:
    async with connected() as client:
        body = b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n" + ending
        told = await client.told_of(START + body, b"a" * 2**14)
    assert told.count(b"HTTP/1.1 ") == 1


async def test_a_body_may_be_larger_and_slower_than_a_head() -> None:
    length = 5 * MOST_BYTES
    slow = b"POST /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    async with connected(time_s=0.1) as client:
        await client.send(slow + b"Content-Length: %d\r\n\r\n" % length)
        for _ in range(5):
            await asyncio.sleep(0.05)
            await client.send(b"a" * MOST_BYTES)
        assert (await client.told()).endswith(b"ok")


async def test_what_is_no_request_is_refused_in_the_shape_of_all_errors() -> None:
    async with connected() as client:
        await client.send(b"GET / HTTP/1.1\r\nHost x\r\n\r\n")
        assert error_of(await client.told())[0] == 400

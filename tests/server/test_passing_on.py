"""Requests that are passed on to a server of this machine: as they came, as it answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from server.passing_on import Way
from server.server_process import free_port
from tests.server.listening import serving


class Told:
    """What the server behind was asked."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.come = asyncio.Event()
        self.gone = asyncio.Event()


def behind(told: Told) -> FastAPI:
    app = FastAPI()

    @app.post("/echo")
    async def echo(request: Request) -> Any:
        told.headers = dict(request.headers)
        body = (await request.body()).decode()
        return {"body": body, "query": str(request.query_params), "path": request.url.path}

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[str]:
            try:
                for number in range(10_000):
                    yield f"data: {number}\n\n"
                    await asyncio.sleep(0.01)
            finally:
                told.gone.set()

        return StreamingResponse(pieces(), media_type="text/event-stream")

    @app.get("/slow")
    async def slow(request: Request) -> None:
        told.come.set()
        while (await request.receive())["type"] != "http.disconnect":
            pass
        told.gone.set()

    return app


def at(app: Any, **how: Any) -> AbstractAsyncContextManager[str]:
    config = uvicorn.Config(app, "127.0.0.1", free_port(), log_level="error", ws="none", **how)
    return serving(config)


@pytest.fixture
async def told() -> Told:
    return Told()


@pytest.fixture
async def http(told: Told) -> AsyncIterator[httpx.AsyncClient]:
    # Which uvicorn puts before each path, as Ray Serve has an application's prefix before it.
    prefix = {"root_path": "/whet"}
    async with (
        at(behind(told), lifespan="off") as url,
        at(Way(url), lifespan="on", **prefix) as front,
        httpx.AsyncClient(base_url=front, timeout=20.0) as client,
    ):
        yield client


async def test_body_query_and_headers_go_on_as_they_came(
    http: httpx.AsyncClient, told: Told
) -> None:
    headers = {"authorization": "Bearer key", "connection": "x-mine, keep-alive", "x-mine": "1"}
    answer = await http.post("/echo?a=1&b=%2F", content=b"body", headers=headers)
    assert answer.json() == {"body": "body", "query": "a=1&b=%2F", "path": "/echo"}
    assert told.headers["authorization"] == "Bearer key"
    assert told.headers["content-length"] == "4"
    assert "x-mine" not in told.headers, "it was of the first connection"
    assert (await http.post("/nothing")).json() == {"detail": "Not Found"}


async def test_a_body_that_comes_in_pieces_goes_on_in_pieces(
    http: httpx.AsyncClient, told: Told
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    answer = await http.post("/echo", content=pieces())
    assert answer.json()["body"] == "one two"
    assert "content-length" not in told.headers


async def test_a_stream_comes_as_it_is_made_and_ends_with_its_client(
    http: httpx.AsyncClient, told: Told
) -> None:
    async with http.stream("GET", "/stream") as response:
        lines = response.aiter_lines()
        assert await anext(lines) == "data: 0"
    async with asyncio.timeout(10):
        assert await told.gone.wait()


async def test_a_client_that_goes_before_the_answer_is_told_of(
    http: httpx.AsyncClient, told: Told
) -> None:
    asking = asyncio.create_task(http.get("/slow"))
    async with asyncio.timeout(30):
        await told.come.wait()
        asking.cancel()
        assert await told.gone.wait()


async def test_a_server_that_is_not_there_is_a_503_with_a_retry() -> None:
    async with (
        at(Way(f"http://127.0.0.1:{free_port()}"), lifespan="on") as front,
        httpx.AsyncClient(base_url=front) as client,
    ):
        answer = await client.post("/v1/chat/completions", json={})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["error"]["type"] == "service_unavailable"

"""A silent stream is kept open; nothing else is touched."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from server.http.keep_alive import COMMENT, KeepAlive
from server.requests.request_context import CHAT, RESPONSES

EVENT = b"event: response.created\ndata: {}\n\n"
PAUSE_S = 0.2


async def slow(request: object) -> Response:
    async def events() -> AsyncIterator[bytes]:
        yield EVENT
        await asyncio.sleep(PAUSE_S)
        yield EVENT

    return StreamingResponse(events(), media_type="text/event-stream")


async def whole(request: object) -> Response:
    await asyncio.sleep(PAUSE_S)
    return JSONResponse({})


@pytest.mark.parametrize(
    ("path", "interval_s", "has_comments"),
    [
        (RESPONSES, PAUSE_S / 5, True),
        (f"{RESPONSES}/resp_1", PAUSE_S / 5, True),
        (RESPONSES, 10 * PAUSE_S, False),
        (RESPONSES, 0, False),
        (CHAT, PAUSE_S / 5, False),
    ],
)
async def test_a_comment_is_sent_after_each_interval_of_silence(
    path: str, interval_s: float, has_comments: bool
) -> None:
    app = KeepAlive(Starlette(routes=[Route(path, slow)]), interval_s)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://whet"
    ) as client:
        body = (await client.get(path)).content
    comments = body.count(COMMENT["body"])
    assert (comments > 0) == has_comments
    assert comments <= 5, "one for each interval of the pause"
    assert body == EVENT + comments * COMMENT["body"] + EVENT


async def test_a_whole_response_waits_in_silence() -> None:
    app = KeepAlive(Starlette(routes=[Route(RESPONSES, whole)]), PAUSE_S / 5)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://whet"
    ) as client:
        assert (await client.get(RESPONSES)).json() == {}


async def test_a_stream_is_kept_open_below_a_root_path_too() -> None:
    app = KeepAlive(Starlette(routes=[Route(RESPONSES, slow)]), PAUSE_S / 5)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, root_path="/api"), base_url="http://whet"
    ) as client:
        body = (await client.get(f"/api{RESPONSES}")).content
    assert COMMENT["body"] in body

"""A body is there in time and of a bearable shape, or refused in a sentence that says why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import repeat
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.types import Receive, Scope, Send

from server.config import Settings
from server.http.admission import Admission
from server.http.body_limits import BodyLimits
from server.http.body_room import BodyRoom
from server.refusals.error_shape import OpenAIErrorShape
from server.refusals.errors import ApiError
from server.tenancy.principal import PRINCIPAL, Principal, Role

CHAT = "/v1/chat/completions"
MESSAGE = {"role": "user", "content": "x"}


def client(principals: Iterator[Principal | None] | None = None, **given: Any) -> httpx.AsyncClient:
    """What answers with the length of the body that it was given, to `principals` one by one."""
    settings = Settings(**given)
    app = FastAPI()

    async def length(request: Request) -> int:
        return len(await request.body())

    for path in (CHAT, "/v1/memory/import"):
        app.add_api_route(path, length, methods=["POST"])
    app.add_middleware(Admission, places=1)
    app.add_middleware(BodyLimits, settings=settings)
    app.add_middleware(OpenAIErrorShape, max_body_bytes=settings.max_body_bytes)

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, PRINCIPAL: next(principals)} if principals else scope, receive, send)

    transport = httpx.ASGITransport(named, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://whet")


async def never_ending() -> AsyncIterator[bytes]:
    yield b'{"messages": ['
    await asyncio.Event().wait()


async def test_a_body_that_does_not_end_is_refused_in_time() -> None:
    async with client(body_timeout_s=0.05) as http:
        response = await http.post(CHAT, content=never_ending())
    assert response.status_code == 408
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    assert "body_timeout_s" in response.json()["error"]["message"]


async def test_a_body_under_way_takes_no_place() -> None:
    async with client() as http:
        waiting = asyncio.create_task(http.post(CHAT, content=never_ending()))
        await asyncio.sleep(0)
        assert (await http.post(CHAT, json={})).status_code == 200
        waiting.cancel()


async def test_bodies_under_way_leave_room_to_other_tenants_and_are_bounded_together() -> None:
    """A body that does not end holds what came of it, and nothing once its client has left."""
    held = [asyncio.Event() for _ in range(3)]

    async def most_of_a_share(gone: asyncio.Event) -> AsyncIterator[bytes]:
        yield b" " * 900
        gone.set()
        await asyncio.Event().wait()

    asking = iter(Principal(name, Role.USER) for name in "aabbcc")
    async with client(asking, max_bodies_bytes=2100, max_body_bytes=1024) as http:
        first = asyncio.create_task(http.post(CHAT, content=most_of_a_share(held[0])))
        await held[0].wait()
        beyond = await http.post(CHAT, content=b" " * 900)
        assert (beyond.status_code, "max_bodies_bytes" in beyond.text) == (429, True)
        second = asyncio.create_task(http.post(CHAT, content=most_of_a_share(held[1])))
        await held[1].wait()
        assert (await http.post(CHAT, content=b" " * 100)).status_code == 200
        full = await http.post(CHAT, content=b" " * 900)
        assert (full.status_code, "max_bodies_bytes" in full.text) == (503, True)
        assert "retry-after" in full.headers
        for left in (first, second):
            left.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        assert (await http.post(CHAT, content=b" " * 900)).json() == 900


def test_there_is_room_for_the_largest_body_however_little_there_is_for_all() -> None:
    room = BodyRoom(1000, largest_bytes=5000)
    with room.of("acme") as take:
        take(5000)
        with pytest.raises(ApiError):
            take(1)
    with room.of("acme") as take:
        take(5000)


async def test_nobodys_body_is_read() -> None:
    async with client(repeat(None)) as http, asyncio.timeout(30):
        assert (await http.post("/v1/memory/import", content=never_ending())).json() == 0


@pytest.mark.parametrize(
    ("body", "param", "setting"),
    [
        ({"messages": [MESSAGE] * 30}, "messages", "max_body_items"),
        ({"messages": [MESSAGE], "tools": [{"type": "function"}] * 30}, "tools", "max_body_items"),
        ({"input": ["a"] * 200}, "input", "max_body_parts"),
        ({"prompt": [7] * 500}, "prompt", "max_body_values"),
        ({"response_format": {"a": {"b": {"c": {"d": {"e": {}}}}}}}, "response_format", "_depth"),
        ({"unheard_of": ["a"] * 200}, "unheard_of", "max_body_parts"),
        ({"messages": [MESSAGE], "n": {"messages": [[[[[[]]]]]]}}, "n", "_depth"),
        ({"user": 'a", "input": [{\\', "tools": [["x"] * 200]}, "tools", "max_body_parts"),
    ],
)
async def test_a_refusal_names_the_field_and_the_setting(
    body: dict[str, Any], param: str | None, setting: str
) -> None:
    limits = {"max_body_items": 20, "max_body_parts": 150, "max_body_values": 400}
    async with client(**limits, max_body_depth=6) as http:
        response = await http.post(CHAT, json=body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["param"] == param
    assert setting in error["message"]
    assert param is None or f"`{param}`" in error["message"]


async def test_text_is_not_counted_by_what_it_looks_like() -> None:
    body = {"messages": [{"role": "user", "content": '[{"a": 1, "b": [[[[[[[]]]]]]]}, ' * 5000}]}
    async with client(max_body_parts=20, max_body_values=20, max_body_depth=4) as http:
        assert (await http.post(CHAT, json=body)).status_code == 200


async def test_what_is_within_the_limits_arrives_byte_for_byte() -> None:
    body = b'{"messages": [' + b'{"role": "user", "content": "x"}, ' * 100 + b"7]}"
    async with client() as http:
        assert (await http.post(CHAT, content=body)).json() == len(body)


async def test_lines_are_left_to_their_route() -> None:
    lines = b'{"question": "q", "answer": "a"}\n' * 50_000
    async with client() as http:
        assert (await http.post("/v1/memory/import", content=lines)).json() == len(lines)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
async def test_what_is_not_in_utf_8_is_refused_before_it_is_parsed(encoding: str) -> None:
    """An escaped quote there would hide all that follows from the scan."""
    body = '{"x": "\\"", "messages": [' + ", ".join(["[]"] * 2_000) + "]}"
    async with client(max_body_parts=1_000) as http:
        response = await http.post(CHAT, content=body.encode(encoding))
    assert response.status_code == 400
    assert "UTF-8" in response.json()["error"]["message"]

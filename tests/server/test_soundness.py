"""Half characters and endless nesting are refused by name before anything reads the body."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from server.config import Settings
from server.http.adaptation_middleware import TAKEN_PATHS, AdaptationMiddleware
from server.refusals.errors import ApiError
from server.refusals.soundness import MAX_NESTING, sound_object
from tests.server.named import ONLY_M, Named, nothing_said


def nested(levels: int) -> Any:
    value: Any = "leaf"
    for number in range(levels):
        value = [value] if number % 2 else {"a": value}
    return value


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"stop": ["a", "\\ud800"]}', "stop.1"),
        (b'{"messages": [{"role": "user", "content": "x\\uDFFFy"}]}', "messages.0.content"),
        (b'{"model": "\xed\xa0\x80"}', "model"),
        (b'{"metadata": {"a\\ud800": 1}}', "metadata.a?"),
        (b'{"tools": [[[{"b": "\\udc00\\ud800"}]]]}', "tools.0.0.0.b"),
    ],
)
def test_half_a_character_is_refused_where_it_stands(body: bytes, param: str) -> None:
    with pytest.raises(ApiError, match="surrogate") as caught:
        sound_object(body)
    assert (caught.value.status, caught.value.param) == (400, param)
    assert f"`{param}`" in caught.value.message
    caught.value.response()  # can be written


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"model": "m", "n": %s}', "n"),
        (b'{"logit_bias": {"5": -%s}}', "logit_bias.5"),
        (b'{"prompt": [1, [2, %s]]}', "prompt.1.1"),
    ],
)
def test_a_number_too_long_to_be_read_is_refused_where_it_stands(body: bytes, param: str) -> None:
    with pytest.raises(ApiError, match="digits") as caught:
        sound_object(body % (b"9" * 5000))
    assert (caught.value.status, caught.value.param) == (400, param)


def test_what_is_no_json_behind_such_a_number_is_left_to_the_route() -> None:
    assert sound_object(b'{"n": %s, ' % (b"9" * 5000)) is None
    assert sound_object(b"9" * 5000) is None


def test_a_whole_pair_is_a_character() -> None:
    assert sound_object(b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


@pytest.mark.parametrize("levels", [MAX_NESTING, 250, 900])
def test_what_is_nested_too_deeply_is_refused_by_its_key(levels: int) -> None:
    body = {"model": "m", "response_format": nested(levels)}
    with pytest.raises(ApiError, match="deep") as caught:
        sound_object(json.dumps(body).encode())
    assert caught.value.param == "response_format"


def test_nesting_up_to_the_bound_and_a_broad_body_pass() -> None:
    deep = {"a": nested(MAX_NESTING - 1)}
    assert sound_object(json.dumps(deep).encode()) == deep
    broad = {"messages": [{"role": "user", "content": []} for _ in range(500)]}
    assert sound_object(json.dumps(broad).encode()) == broad


def test_nesting_beyond_the_parser_is_a_400_too() -> None:
    with pytest.raises(ApiError, match="deep"):
        sound_object(b'{"a":' + b"[" * 100_000)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"null", b"\xff\xfe"])
def test_what_is_no_object_is_left_to_its_route(body: bytes) -> None:
    assert sound_object(body) is None


@pytest.mark.parametrize("path", sorted(TAKEN_PATHS))
async def test_every_route_with_a_tokenizer_behind_it_is_guarded(path: str) -> None:
    async def answer(request: Request) -> JSONResponse:
        return JSONResponse(await request.json())

    app = Starlette(routes=[Route(path, answer, methods=["POST"])])
    transport = httpx.ASGITransport(
        Named(AdaptationMiddleware(app, Settings(), str.upper, nothing_said, ONLY_M))
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        fine = await client.post(path, json={"model": "m:plain", "user": "ann"})
        half = await client.post(path, content=b'{"model": "m", "user": "\\ud800"}')
    assert fine.status_code == 200
    assert (half.status_code, half.json()["error"]["param"]) == (400, "user")

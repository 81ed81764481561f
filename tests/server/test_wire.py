"""What comes over the wire is parsed once, what goes over it is written once, on every route."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from memory.embedding.hashing import HashingEmbedder
from server.batches.output import answer_line
from server.gateway.routes import ParsedRoute
from server.http.adaptation_middleware import ADAPTED_PATHS, TAKEN_PATHS
from server.http.request_body import Body
from server.requests.request_context import CHAT, COMPLETIONS, RESPONSES
from tests.server.composed import MODEL, Composed, Reply, composed
from tests.server.test_batches import begun, client_of, ended, line, lines_of

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
ASKED, SAID = "a question of its own", "an answer of its own"
TURNS = [{"role": "user", "content": ASKED}]
WRITTEN: dict[str, dict[str, Any]] = {
    CHAT: {"messages": TURNS, "adaptation": {"strategy": "consistency"}},
    COMPLETIONS: {"prompt": ASKED},
    RESPONSES: {"input": ASKED, "store": False},
    "/v1/messages": {"messages": TURNS, "max_tokens": 20},
    "/invocations": {"messages": TURNS},
    "/v1/chat/completions/batch": {"messages": [TURNS]},
}
"""By route that writes an answer, a request."""
LOOKED_AT: dict[str, dict[str, Any]] = {
    "/v1/messages/count_tokens": {"messages": TURNS},
    "/tokenize": {"prompt": ASKED},
    "/v1/embeddings": {"model": HashingEmbedder().id, "input": ASKED},
}


@pytest.fixture
async def server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Composed]:
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply(SAID)) as found:
        yield found


class Wire:
    """Counts how often the question is parsed out of JSON, and the answer written as JSON."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.parsed, self.written, self.sent_on = list[Any](), list[str](), list[str]()
        decode, encode = json.JSONDecoder.raw_decode, json.JSONEncoder.encode

        def parse(decoder: json.JSONDecoder, text: str, idx: int = 0) -> tuple[Any, int]:
            value, end = decode(decoder, text, idx)
            self.parsed += [value] if ASKED in repr(value) else []
            return value, end

        def write(encoder: json.JSONEncoder, value: Any) -> str:
            text = encode(encoder, value)
            self.written += [text] if SAID in text and '"usage"' in text else []
            self.sent_on += [text] if ASKED in text and '"cache_salt"' in text else []
            return text

        patch.setattr(json.JSONDecoder, "raw_decode", parse)
        patch.setattr(json.JSONEncoder, "encode", write)


async def sent(server: Composed, path: str, body: dict[str, Any]) -> httpx.Response:
    content = json.dumps({"model": MODEL, **body})
    headers = {"content-type": "application/json"}
    response = await server.http.post(path, content=content, headers=headers)
    assert response.status_code == 200, response.text
    return response


@pytest.mark.parametrize("path", WRITTEN)
async def test_a_request_is_parsed_once_and_its_answer_written_once(
    path: str, server: Composed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        wire = Wire(patch)
        response = await sent(server, path, WRITTEN[path])
    assert SAID in response.text
    assert len(wire.parsed) == 1
    assert wire.written == [response.text]
    if path != "/invocations":  # SageMaker's own wrapper writes it, for nobody
        assert wire.sent_on == [], "the route is given what was parsed"


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, RESPONSES, "/v1/messages", "/invocations"])
async def test_a_request_for_a_stream_is_parsed_once(
    path: str, server: Composed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        wire = Wire(patch)
        await sent(server, path, {**WRITTEN[path], "stream": True})
    assert len(wire.parsed) == 1


@pytest.mark.parametrize("path", LOOKED_AT)
async def test_a_text_that_is_only_looked_at_is_parsed_once_too(
    path: str, server: Composed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        wire = Wire(patch)
        await sent(server, path, LOOKED_AT[path])
    assert len(wire.parsed) == 1


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, RESPONSES])
async def test_a_line_of_a_batch_is_parsed_when_it_is_looked_at_and_when_it_is_answered(
    path: str, server: Composed, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(server, "none")
    with monkeypatch.context() as patch:
        wire = Wire(patch)
        asked = line("one", path, **WRITTEN[path])
        done = await ended(client, (await begun(client, asked, url=path)).id)
        (answer,) = await lines_of(client, done.output_file_id)
    assert answer["response"]["status_code"] == 200
    assert len(wire.parsed) == 2
    assert [json.loads(each) for each in wire.written] == [answer["response"]["body"]]


async def test_what_is_taken_of_a_body_is_not_what_is_sent_again() -> None:
    body = Body(b'{"a": 1}', {"a": 1})
    taken = body.take()
    assert taken is not None
    taken.clear()
    assert body.take() == {"a": 1}


async def test_every_route_whose_body_is_taken_is_given_what_was_parsed(server: Composed) -> None:
    routes = [
        route
        for route in server.app.routes
        if isinstance(route, APIRoute) and route.path in TAKEN_PATHS
    ]
    assert {route.path for route in routes} >= {*WRITTEN, *LOOKED_AT}
    assert all(isinstance(route, ParsedRoute) for route in routes)
    first = [getattr(route, "path", None) for route in server.app.routes[:3]]
    assert set(first) == ADAPTED_PATHS, "what is asked most stands behind nothing"


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("application/json", '{"a":\n"\u2028\x85é"}', {"a": "\u2028\x85é"}),
        ("text/html", "<p>\n</p>", "<p>\n</p>"),
    ],
)
def test_an_answer_stands_in_one_line_whatever_is_in_it(kind: str, body: str, told: Any) -> None:
    response = httpx.Response(200, headers={"content-type": kind}, content=body.encode())
    (text,) = answer_line('o"ne', response).decode().splitlines()
    found = json.loads(text)
    assert found["custom_id"] == 'o"ne'
    assert found["response"] == {"status_code": 200, "request_id": "", "body": told}
    assert found["error"] is None

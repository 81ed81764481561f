"""A null where OpenAI's schema has one, or ignores it, is as if the key were absent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from memory.embedding.embedding_queue import EmbeddingQueue
from memory.embedding.hashing import HashingEmbedder
from memory.threads import Threads
from server.config import Settings
from server.gateway.routes import parse_once
from server.http.adaptation_middleware import AdaptationMiddleware
from server.refusals.error_shape import OpenAIErrorShape
from server.refusals.errors import install_handlers
from server.requests.request_context import CHAT, COMPLETIONS, RESPONSES
from server.routes.embeddings import embeddings_router
from server.routes.unserved import PATHS, unserved_router
from tests.server.named import NO_MODELS, Named, nothing_said

EMBEDDER = HashingEmbedder()


@pytest.fixture
def http() -> TestClient:
    app = FastAPI()

    async def echo(request: Request) -> Any:
        return await request.json()

    for path in (CHAT, COMPLETIONS, RESPONSES):
        app.add_api_route(path, echo, methods=["POST"])
    app.include_router(unserved_router())
    app.include_router(
        embeddings_router(
            EMBEDDER, EmbeddingQueue(EMBEDDER), Threads("counting", 1), lambda *_: None
        )
    )
    app.add_api_route("/v1/responses/{response_id}", echo, methods=["GET"])
    parse_once(app, (CHAT, COMPLETIONS, RESPONSES))
    install_handlers(app)
    app.add_middleware(
        AdaptationMiddleware,
        settings=Settings(),
        salt_of=str.upper,
        recall=nothing_said,
        models=NO_MODELS,
    )
    app.add_middleware(Named)
    app.add_middleware(OpenAIErrorShape, max_body_bytes=2**20)
    return TestClient(app)


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, RESPONSES])
def test_no_generation_route_hands_a_null_on(path: str, http: TestClient) -> None:
    nulls = dict.fromkeys(["n", "background", "truncation", "service_tier", "adaptation", "stream"])
    assert http.post(path, json={"model": "m", "seed": 0, **nulls}).json() == {
        "model": "m",
        "seed": 0,
        "cache_salt": "DEFAULT",
    }


def test_nulls_in_what_openai_defines_are_left_out_and_the_clients_own_are_kept(
    http: TestClient,
) -> None:
    schema = {"type": "object", "default": None, "enum": [None]}
    tool = {"type": "function", "function": {"name": "f", "strict": None, "parameters": schema}}
    turn = {"role": "user", "content": "Hi"}
    sent = {
        "model": "m",
        "messages": [{**turn, "name": None}, {"role": "assistant", "content": None}],
        "tools": [tool],
        "stream_options": {"include_usage": None},
        "metadata": {"mine": None},
    }
    got = http.post(CHAT, json=sent).json()
    assert got["messages"] == [turn, {"role": "assistant", "content": None}]
    assert got["tools"][0]["function"] == {"name": "f", "parameters": schema}
    assert got["stream_options"] == {}
    assert got["metadata"] == {"mine": None}


def test_an_embedding_with_nulls_is_the_one_without(http: TestClient) -> None:
    asked = {"model": EMBEDDER.id, "input": "one"}
    nulls = dict.fromkeys(["encoding_format", "dimensions", "user"])
    plain = http.post("/v1/embeddings", json=asked)
    assert plain.status_code == 200
    assert http.post("/v1/embeddings", json={**asked, **nulls}).json() == plain.json()
    missing = http.post("/v1/embeddings", json={**asked, "input": None})
    assert missing.status_code == 400
    assert missing.json()["error"]["param"] == "input"


@pytest.mark.parametrize("path", PATHS)
def test_a_route_of_openais_that_is_not_here_is_no_response_of_that_name(
    path: str, http: TestClient
) -> None:
    answer = http.post(path, content=json.dumps({"model": "m"}))
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("not_found", None)
    assert f"POST {path}" in error["message"]

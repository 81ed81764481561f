"""`/v1/embeddings`: OpenAI's shape over the memory's embedder."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from memory.embedding.embedding_queue import EmbeddingQueue
from memory.embedding.hashing import HashingEmbedder
from memory.threads import Threads
from server.refusals.errors import install_handlers
from server.routes.embeddings import MAX_INPUTS, embeddings_router
from tests.server.named import Named

EMBEDDER = HashingEmbedder(64)


@pytest.fixture
def http() -> Iterator[TestClient]:
    app = FastAPI()
    queue, counting = EmbeddingQueue(EMBEDDER), Threads("counting", 1)
    app.include_router(embeddings_router(EMBEDDER, queue, counting, lambda *_: None))
    install_handlers(app)
    with TestClient(Named(app)) as client:
        yield client


def ask(http: TestClient, **body: Any) -> Any:
    return http.post("/v1/embeddings", json={"model": EMBEDDER.id, **body})


def test_texts_come_back_as_the_embedders_vectors_in_their_order(http: TestClient) -> None:
    found = ask(http, input=["one and one", "two"]).json()
    assert (found["object"], found["model"]) == ("list", EMBEDDER.id)
    assert [item["index"] for item in found["data"]] == [0, 1]
    vectors = np.array([item["embedding"] for item in found["data"]])
    assert np.allclose(vectors, EMBEDDER.embed(["one and one", "two"]))
    assert found["usage"] == {"prompt_tokens": 4, "total_tokens": 4}


def test_base64_holds_the_same_floats(http: TestClient) -> None:
    (item,) = ask(http, input="one", encoding_format="base64").json()["data"]
    decoded = np.frombuffer(base64.b64decode(item["embedding"]), dtype="<f4")
    assert np.array_equal(decoded, EMBEDDER.embed(["one"])[0])


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"input": []}, 400, "input"),
        ({"input": ""}, 400, "input"),
        ({"input": ["one", ""]}, 400, "input"),
        ({"input": [1, 2, 3]}, 400, "input"),
        ({"input": [[1, 2], [3]]}, 400, "input"),
        ({"input": {"text": "one"}}, 400, "input"),
        ({"input": ["one"] * (MAX_INPUTS + 1)}, 400, "input"),
        ({}, 400, "input"),
        ({"input": "one", "dimensions": 32}, 400, "dimensions"),
        ({"input": "one", "encoding_format": "int8"}, 400, "encoding_format"),
        ({"input": "one", "model": "text-embedding-3-small"}, 404, "model"),
        ({"input": "one", "adaptation": {}}, 400, "adaptation"),
    ],
)
def test_what_cannot_be_embedded_is_refused_by_name(
    body: dict[str, Any], status: int, param: str, http: TestClient
) -> None:
    response = ask(http, **body)
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (status, param), error
    assert status != 404 or EMBEDDER.id not in error["message"], "nothing else is named"


def test_a_text_that_is_longer_than_its_vector_can_hold_is_refused(
    http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HashingEmbedder, "max_tokens", 3)
    assert ask(http, input=["one", "one two three"]).status_code == 200
    error = ask(http, input=["one", "one two three four"]).json()["error"]
    assert error["param"] == "input"
    assert "text 1 is too long" in error["message"]
    assert "3 tokens" in error["message"]


def test_its_own_dimensions_and_a_name_without_a_version_are_accepted(http: TestClient) -> None:
    assert ask(http, input="one", dimensions=64, user="ann").status_code == 200

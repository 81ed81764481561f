"""Bad input: one error shape, a message that says what to do, and a server that lives on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from adaptation.options import Strategy
from tests.e2e.running import Running

HELLO = [{"role": "user", "content": "Hello"}]
CHAT = "/v1/chat/completions"
SEARCH = {"type": "web_search"}
LOOP = {"grammar": "root ::= root"}
"""Passes vLLM's check; no output has this form, which the engine finds out."""
PLAIN = {"adaptation": {"strategy": "plain"}}
HUGE = {
    "type": "json_schema",
    "json_schema": {
        "name": "n",
        "schema": {
            "type": "object",
            "properties": {"a": {"type": "integer", "maximum": 2**63}},
            "required": ["a"],
        },
    },
}


@pytest.mark.parametrize(
    ("path", "body", "status", "param", "says"),
    [
        (CHAT, {"adaptation": {"votes": 3}}, 400, "adaptation.votes", "not a known key"),
        (CHAT, {"adaptation": {"max_samples": 0}}, 400, "adaptation.max_samples", "1"),
        (CHAT, {"adaptation": {"max_samples": 1000}}, 400, "adaptation.max_samples", "64"),
        (CHAT, {"adaptation": {"budget": {"wall_s": -1}}}, 400, "adaptation.budget.wall_s", "0"),
        (CHAT, {"adaptation": {"strategy": "magic"}}, 400, "adaptation.strategy", "plain"),
        (CHAT, {"adaptation": 7}, 400, "adaptation", "object"),
        (
            CHAT,
            {"adaptation": {"answer": {"kind": "regex", "pattern": "("}}},
            400,
            "adaptation.answer.pattern",
            "does not compile",
        ),
        (
            CHAT,
            {"adaptation": {"verifiers": [{"type": "oracle"}]}},
            400,
            "adaptation.verifiers.0.type",
            "must be one of",
        ),
        (CHAT, {"model": "gpt-x"}, 404, "model", "gpt-x"),
        (CHAT, {"messages": []}, 400, None, ""),
        (CHAT, {"messages": "hello"}, 400, "messages", ""),
        (CHAT, {"messages": [{"role": "user", "content": "a " * 9000}]}, 400, "messages", "4096"),
        (CHAT, {"prompt_logprobs": 1}, 400, "prompt_logprobs", "refused"),
        (
            CHAT,
            {"model": "whet-pebble:ttt", "adaptation": {"strategy": "plain"}},
            400,
            "adaptation.strategy",
            "say one",
        ),
        (
            CHAT,
            {"adaptation": {"strategy": "consistency"}, "n": 20},
            400,
            "n",
            "more than the 16",
        ),
        ("/v1/completions", {"prompt": "x", "echo": True, "logprobs": 1}, 400, None, "`echo` with"),
        ("/v1/completions", {"prompt": ""}, 400, None, ""),
        ("/v1/completions", {"prompt": "a " * 9000}, 400, "prompt", "4096"),
        (CHAT, {"functions": [{"name": "f"}]}, 400, "functions", "tools"),
        (CHAT, {"modalities": ["text", "audio"]}, 400, "modalities", "text"),
        ("/v1/completions", {"prompt": "x", "best_of": 2}, 400, "best_of", "`n`"),
        ("/v1/responses", {"input": "x", "conversation": "c"}, 404, None, "not found"),
        ("/v1/responses", {"input": "x", "tools": [SEARCH]}, 400, "tools", "web_search"),
        (CHAT, {"structured_outputs": LOOP}, 400, "structured_outputs", "cannot be kept to"),
        (CHAT, {"response_format": HUGE}, 400, "response_format", "response_format"),
        (CHAT, {"response_format": HUGE, **PLAIN}, 400, "response_format", "response_format"),
        (CHAT, {"logit_bias": {"999999": 1}, "stream": True}, 400, "logit_bias", "vocabulary"),
        (CHAT, {"guided_choice": ["a"]}, 400, "guided_choice", "structured_outputs"),
        ("/v1/responses", {"input": "x", "max_tokens": 9}, 400, "max_tokens", "max_output_tokens"),
        ("/v1/responses", {"input": "Hi", "adaptation": {"x": 1}}, 400, "adaptation.x", "known"),
        ("/v1/responses", {}, 400, "input", "required"),
        ("/v1/nothing", {}, 404, None, "/v1/nothing"),
        ("/v1/feedback", {"completion_id": "chatcmpl-none", "verdict": "correct"}, 404, None, ""),
        ("/v1/feedback", {"completion_id": "x", "verdict": "maybe"}, 400, "verdict", ""),
    ],
)
def test_bad_input_gets_the_openai_error_shape(
    server: Running, path: str, body: dict[str, Any], status: int, param: str | None, says: str
) -> None:
    base: dict[str, Any] = {"model": "whet-pebble"}
    if path == CHAT:
        base["messages"] = HELLO
    response = server.post(path, json={**base, **body} if path != "/v1/feedback" else body)
    error = response.json()["error"]
    assert response.status_code == status, response.text
    assert set(response.json()) == {"error"}
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] is None or isinstance(error["code"], str)
    assert says in error["message"]
    if param is not None:
        assert error["param"] == param
    assert response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"model": ', "application/json"),
        (b"hello", "text/plain"),
        (b"\xff\xfe", "application/json"),
    ],
)
def test_what_is_no_json_is_refused_in_the_same_shape(
    server: Running, content: bytes, kind: str
) -> None:
    response = server.post(CHAT, content=content, headers={"content-type": kind})
    assert response.status_code in (400, 415)
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}


def test_what_would_kill_the_engine_is_refused_on_every_route(server: Running) -> None:
    body = {"model": "whet-pebble", "prompt": ["2+2=", "3+3="], "echo": True, "logprobs": 1}
    assert server.post("/invocations", json=body).status_code == 400
    assert server.get("/ready").status_code == 200


def test_messages_tells_errors_as_anthropic_does(server: Running) -> None:
    body = {"model": "whet-pebble", "messages": HELLO, "max_tokens": 9}
    response = server.post("/v1/messages", json={**body, "adaptation": {}})
    assert response.status_code == 400
    assert response.json()["type"] == "error"
    assert response.json()["error"].keys() == {"type", "message"}
    assert "only" in response.json()["error"]["message"]


def test_an_unknown_model_learns_no_other_name(server: Running) -> None:
    message = server.post(CHAT, json={"model": "gpt-x", "messages": HELLO}).json()["error"][
        "message"
    ]
    assert "whet-pebble" not in message


def test_methods_a_route_does_not_have_are_told(server: Running) -> None:
    response = server.get("/v1/feedback")
    assert response.status_code == 405
    assert response.json()["error"]["code"] == "method_not_allowed"


def test_the_server_still_answers_after_all_of_it(server: Running) -> None:
    assert server.get("/ready").json()["engine"] == "ready"
    assert server.chat("Hello")["choices"][0]["message"]["content"]


def test_models_are_listed_under_every_strategy_and_retrieved(server: Running) -> None:
    ids = [model["id"] for model in server.get("/v1/models").json()["data"]]
    voting = ["whet-pebble", *(f"whet-pebble:{strategy}" for strategy in Strategy)]
    assert ids == [*voting, "all-MiniLM-L6-v2"]
    assert server.get("/v1/models/whet-pebble:ttt").json()["id"] == "whet-pebble:ttt"
    assert server.get("/v1/models/none/such").json()["error"]["code"] == "model_not_found"


def test_metrics_count_what_was_done(server: Running) -> None:
    before = server.metric("whet_requests_total")
    server.chat("Hello")
    assert server.metric("whet_requests_total") == before + 1


def test_many_long_seeded_prompts_at_once_leave_the_engine_alive(server: Running) -> None:
    """vLLM's CPU worker dies of a seeded prompt that is split between two steps."""

    def ask(number: int) -> int:
        words = " ".join(f"lamp {number} {i}" for i in range(300))
        messages = [{"role": "user", "content": words}]
        body = {"model": "whet-pebble:plain", "messages": messages, "seed": 1, "max_tokens": 4}
        return server.post(CHAT, json=body | {"n": 4}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(16))) == [200] * 16
    assert server.get("/ready").status_code == 200

"""Requests that cannot be served, through the composed server: 400, the field, our own words."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.composed import ASK, MODEL, Composed, Reply, composed, events_of

Serve = Callable[..., AbstractAsyncContextManager[Composed]]
CHAT, COMPLETIONS, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"
PLAIN = {"strategy": "plain", "memory": {"write": False}}
VOTED = {"strategy": "consistency", "memory": {"write": False}}
JSON = {"content-type": "application/json"}
THEIR_WORDS = ("parameter=", "Input should be", "Value error", "VLLM_", "'type':", "pydantic")
pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")


@pytest.fixture
def serve(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Return what serves a script."""

    def build(script: Any, **settings: Any) -> AbstractAsyncContextManager[Composed]:
        return composed(data_dir.parent, monkeypatch, script, **settings)

    return build


def schema(**of: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": of}}


def nested(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        inner = {"type": "object", "properties": {"a": inner}}
    return inner


WRONG: list[tuple[str, dict[str, Any], str]] = [
    (CHAT, {"response_format": schema(type="integer", maximum=2**64)}, "response_format"),
    (CHAT, {"response_format": schema(type="nosuch")}, "response_format"),
    (CHAT, {"response_format": schema(**nested(40))}, "response_format"),
    (CHAT, {"response_format": schema(**nested(250))}, "response_format"),
    (CHAT, {"response_format": {"type": "json_schema"}}, "response_format"),
    (
        CHAT,
        {"structured_outputs": {"json": {"type": "integer", "minimum": 2**70}}},
        "structured_outputs",
    ),
    (CHAT, {"structured_outputs": {"regex": "("}}, "structured_outputs"),
    (CHAT, {"structured_outputs": {"grammar": "root ::= none"}}, "structured_outputs"),
    (CHAT, {"stop": ["\ud800"]}, "stop.0"),
    (CHAT, {"messages": [{"role": "user", "content": "\udfff"}]}, "messages.0.content"),
    (CHAT, {"stop": ["a", "b", "c", "d", "e"] * 9}, "stop"),
    (CHAT, {"stop": ""}, "stop"),
    (CHAT, {"logit_bias": {"99999999": 1}}, "logit_bias"),
    (CHAT, {"stop_token_ids": [99999999]}, "stop_token_ids"),
    (CHAT, {"temperature": 9}, "temperature"),
    (CHAT, {"top_p": 0}, "top_p"),
    (CHAT, {"max_tokens": 0}, "max_tokens"),
    (CHAT, {"n": 0}, "n"),
    (CHAT, {"n": "two"}, "n"),
    (CHAT, {"seed": 2**70}, "seed"),
    (CHAT, {"messages": [{"role": "user", "content": 7}]}, "messages"),
    (CHAT, {"messages": 7}, "messages"),
    (CHAT, {"messages": [7]}, "messages.0"),
    (CHAT, {"messages": [{"content": "x"}]}, "messages.0"),
    (CHAT, {"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages"),
    (CHAT, {"tools": {}}, "tools"),
    (CHAT, {"tools": [7]}, "tools.0"),
    (CHAT, {"tools": [{"type": "function"}]}, "tools.0"),
    (CHAT, {"response_format": 7}, "response_format"),
    (CHAT, {"response_format": {"type": "json_schema", "json_schema": 7}}, "response_format"),
    (CHAT, {"structured_outputs": {}}, "structured_outputs"),
    (CHAT, {"structured_outputs": {"json": {}, "regex": "a"}}, "structured_outputs"),
    (CHAT, {"structured_outputs": {"choice": []}}, "structured_outputs"),
    (CHAT, {"logit_bias": [1]}, "logit_bias"),
    (CHAT, {"logit_bias": {"a": 1}}, "logit_bias"),
    (CHAT, {"stop": {}}, "stop"),
    (CHAT, {"stream_options": 7}, "stream_options"),
    (CHAT, {"top_logprobs": 3}, "top_logprobs"),
    (CHAT, {"logprobs": True, "top_logprobs": 99}, "top_logprobs"),
    (CHAT, {"presence_penalty": 9}, "presence_penalty"),
    (CHAT, {"frequency_penalty": "high"}, "frequency_penalty"),
    (COMPLETIONS, {"prompt": {}}, "prompt"),
    (COMPLETIONS, {"prompt": [[99999999]]}, "prompt"),
    (COMPLETIONS, {"logprobs": 99}, "logprobs"),
    (COMPLETIONS, {"max_tokens": -1}, "max_tokens"),
    (CHAT, {"tool_choice": "required"}, "tool_choice"),
    (CHAT, {"guided_choice": ["a", "b"]}, "guided_choice"),
    (COMPLETIONS, {"logit_bias": {"99999999": 1}}, "logit_bias"),
    (COMPLETIONS, {"guided_regex": "a+"}, "guided_regex"),
    (COMPLETIONS, {"response_format": schema(type="nosuch")}, "response_format"),
    (
        RESPONSES,
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "nosuch"}}}},
        "text.format",
    ),
    (RESPONSES, {"response_format": {"type": "json_object"}}, "response_format"),
    (RESPONSES, {"max_tokens": 9}, "max_tokens"),
    (RESPONSES, {"top_p": 9}, "top_p"),
    (RESPONSES, {"input": 7}, "input"),
    (RESPONSES, {"tools": 7}, "tools"),
    (RESPONSES, {"max_output_tokens": 0}, "max_output_tokens"),
    (RESPONSES, {"input": "\udc00"}, "input"),
]
ASKED = {
    CHAT: ASK,
    COMPLETIONS: {"model": MODEL, "prompt": "Hi"},
    RESPONSES: {"model": MODEL, "input": "Hi"},
}


def tells(response: httpx.Response, param: str) -> bool:
    """Whether it is a 400 in our words that names the field."""
    if response.text.startswith("event: response.created"):  # looked at once it is in progress
        return "response.failed" in response.text and f"`{param}` cannot be" in response.text
    if response.text.startswith(": the vote has begun"):
        error = events_of(response.text)[0]["error"]
    elif response.status_code != 400:
        return False
    else:
        error = response.json()["error"]
    names = str(error["param"]).startswith(param) and param.split(".")[0] in error["message"]
    return names and not any(words in error["message"] for words in THEIR_WORDS)


async def test_each_fault_of_a_request_is_told_by_its_field(serve: Serve) -> None:
    """Voted, plain and streamed alike; then the server still answers."""
    found: list[str] = []
    async with serve(lambda request: Reply("#### 1")) as server:
        for path, body, param in WRONG:
            for how in ({"adaptation": VOTED}, {"adaptation": PLAIN}, {"stream": True}):
                sent = json.dumps({**ASKED[path], **body, **how})
                response = await server.http.post(path, content=sent, headers=JSON)
                if not tells(response, param):
                    found.append(f"{path} {sent[-200:]}: {response.status_code} {response.text}")
        assert not found, "\n".join(found)
        assert server.core.taken == []
        assert (await server.http.get("/ready")).status_code == 200
        assert (await server.chat(adaptation=VOTED))["adaptation"]["answer"] == "1"


@pytest.mark.parametrize("asked", [PLAIN, VOTED], ids=["plain", "voted"])
@pytest.mark.parametrize("fault", [OverflowError("too large"), ValueError("no"), TypeError("no")])
async def test_what_the_engines_client_cannot_take_is_the_requests_fault(
    serve: Serve, asked: dict[str, Any], fault: Exception
) -> None:
    async with serve(lambda request: Reply("", error=fault)) as server:
        response = await server.http.post(CHAT, json={**ASK, "adaptation": asked})
        assert response.status_code == 400
        assert str(fault) in response.json()["error"]["message"]
        assert (await server.http.get("/ready")).status_code == 200


async def test_messages_tells_errors_as_anthropic_does(serve: Serve) -> None:
    good = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    bodies = (
        ({"messages": 7}, 400, "invalid_request_error"),
        ({"model": "gpt-x"}, 404, "not_found_error"),
        ({"adaptation": {}}, 400, "invalid_request_error"),
        ({"guided_json": {"type": "object"}}, 400, "invalid_request_error"),
        ({"temperature": 9}, 400, "invalid_request_error"),
    )
    async with serve(lambda request: Reply("Hello")) as server:
        for wrong, status, kind in bodies:
            response = await server.http.post("/v1/messages", json={**good, **wrong})
            assert response.status_code == status, response.text
            assert response.json().keys() == {"type", "error"}
            assert response.json()["error"]["type"] == kind
            assert not any(words in response.text for words in THEIR_WORDS)
        assert (await server.http.post("/v1/messages", json=good)).status_code == 200


async def test_more_stops_than_allowed_are_counted_in_a_true_sentence(serve: Serve) -> None:
    async with serve(lambda request: Reply("#### 1")) as server:
        response = await server.http.post(CHAT, json={**ASK, "stop": ["a"] * 40})
        assert "`stop` takes at most" in response.json()["error"]["message"]

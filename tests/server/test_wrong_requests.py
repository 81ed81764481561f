"""Requests that cannot be served, through the composed server: 400, the field, our own words."""

from __future__ import annotations

import json
import math
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


def strict(**of: Any) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": "f", "strict": True, "parameters": of}}]


TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f"}}
NAMED = {"type": "function", "function": {"name": "f"}}
PICTURE = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
ITEM = {"role": "user", "content": "x"}
SEARCHED = {"type": "tool_search_output", "call_id": "x", "status": "completed", "tools": []}
WRONG: list[tuple[str, dict[str, Any], str]] = [
    (CHAT, {"response_format": schema(type="integer", maximum=2**64)}, "response_format"),
    (CHAT, {"response_format": schema(type="nosuch")}, "response_format"),
    (CHAT, {"response_format": schema(**nested(40))}, "response_format"),
    (CHAT, {"response_format": schema(**nested(250))}, "response_format"),
    (CHAT, {"response_format": {"type": "json_schema"}}, "response_format"),
    (CHAT, {"response_format": schema(type="string", pattern="^.{1,5000}$")}, "response_format"),
    (
        CHAT,
        {"structured_outputs": {"json": json.dumps({"patternProperties": {"a{300}": {}}})}},
        "structured_outputs",
    ),
    (
        RESPONSES,
        {
            "text": {
                "format": {
                    "type": "json_schema",
                    "name": "n",
                    "schema": {"items": [{"pattern": "(b{200}|c{200,})"}]},
                }
            }
        },
        "text.format",
    ),
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
    (CHAT, {"chat_template_kwargs": {"conversation": 7}}, "chat_template_kwargs"),
    (CHAT, {"top_k": -7}, "top_k"),
    (CHAT, {"logit_bias": {str(number): 1 for number in range(9_000)}}, "logit_bias"),
    (CHAT, {"bad_words": ["a " * 5_000]}, "bad_words"),
    (COMPLETIONS, {"prompt": ["a"] * 2_000}, "prompt"),
    (CHAT, {"structured_outputs": 5}, "structured_outputs"),
    (COMPLETIONS, {"structured_outputs": []}, "structured_outputs"),
    (RESPONSES, {"structured_outputs": "x"}, "structured_outputs"),
    (CHAT, {"top_k": 2**70}, "top_k"),
    (RESPONSES, {"top_k": 2**70}, "top_k"),
    (CHAT, {"max_completion_tokens": 0}, "max_completion_tokens"),
    (CHAT, {"max_tokens": 2**31}, "max_tokens"),
    (CHAT, {"thinking_token_budget": 0}, "thinking_token_budget"),
    (CHAT, {"truncate_prompt_tokens": 0}, "messages"),
    (CHAT, {"messages": []}, "messages"),
    (COMPLETIONS, {"prompt": []}, "prompt"),
    (RESPONSES, {"input": []}, "input"),
    (RESPONSES, {"input": [ITEM, {}]}, "input.1"),
    (RESPONSES, {"input": [ITEM, {"type": "message"}]}, "input.1.role"),
    (RESPONSES, {"input": [{"type": "nosuch"}]}, "input.0.type"),
    (RESPONSES, {"input": [{"role": "user"}]}, "input.0.content"),
    (RESPONSES, {"input": [{"role": 7, "content": "x"}]}, "input.0.role"),
    (
        RESPONSES,
        {"input": [{"role": "user", "content": [{"type": "nosuch"}]}]},
        "input.0.content.0.type",
    ),
    (CHAT, {"chat_template": "x"}, "chat_template"),
    (CHAT, {"continue_final_message": True}, "continue_final_message"),
    (
        CHAT,
        {"repetition_detection": {"max_pattern_size": -1, "min_count": 2}},
        "repetition_detection",
    ),
    (COMPLETIONS, {"prompt_embeds": 5}, "prompt_embeds"),
    (COMPLETIONS, {"suffix": "x"}, "suffix"),
    (COMPLETIONS, {"best_of": "x"}, "best_of"),
    (COMPLETIONS, {"best_of": 0}, "best_of"),
    (COMPLETIONS, {"best_of": -1}, "best_of"),
    (CHAT, {"max_tokens": "10"}, "max_tokens"),
    (CHAT, {"max_completion_tokens": "10"}, "max_completion_tokens"),
    (COMPLETIONS, {"max_tokens": "10"}, "max_tokens"),
    (COMPLETIONS, {"max_tokens": True}, "max_tokens"),
    (RESPONSES, {"max_output_tokens": "10"}, "max_output_tokens"),
    (CHAT, {"n": "1"}, "n"),
    (CHAT, {"seed": "7"}, "seed"),
    (CHAT, {"temperature": "0.5"}, "temperature"),
    *(
        (path, {"logit_bias": {"5": bias}}, "logit_bias.5")
        for path in (CHAT, COMPLETIONS)
        for bias in (math.inf, -math.inf, math.nan, "1", True, None, 100.5, -101)
    ),
    (RESPONSES, {"logit_bias": {"5": 101}}, "logit_bias.5"),
    *((path, {"n": 1.5}, "n") for path in (CHAT, COMPLETIONS)),
    *((path, {"max_tokens": 1.5}, "max_tokens") for path in (CHAT, COMPLETIONS)),
    *((path, {"min_tokens": 1.5}, "min_tokens") for path in (CHAT, COMPLETIONS)),
    *((path, {"top_k": 1.5}, "top_k") for path in (CHAT, COMPLETIONS, RESPONSES)),
    *((path, {"seed": 1.5}, "seed") for path in (CHAT, COMPLETIONS, RESPONSES)),
    *((path, {"priority": True}, "priority") for path in (CHAT, COMPLETIONS, RESPONSES)),
    (COMPLETIONS, {"best_of": 1.5}, "best_of"),
    (COMPLETIONS, {"best_of": 1.5, "n": 2}, "best_of"),
    (COMPLETIONS, {"logprobs": 1.5}, "logprobs"),
    (COMPLETIONS, {"logprobs": True}, "logprobs"),
    (CHAT, {"logprobs": True, "top_logprobs": 1.5}, "top_logprobs"),
    (RESPONSES, {"top_logprobs": 1.5}, "top_logprobs"),
    (RESPONSES, {"max_output_tokens": 1.5}, "max_output_tokens"),
    (RESPONSES, {"max_tool_calls": True}, "max_tool_calls"),
    (CHAT, {"messages": [{"role": "system", "content": "x", "name": 5}]}, "messages.0.name"),
    (CHAT, {"messages": [{"role": "assistant", "tool_calls": 7}]}, "messages.0.tool_calls"),
    (CHAT, {"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages.0.tool_calls.0.id"),
    (CHAT, {"messages": [{"role": "user", "content": PICTURE}]}, "messages"),
    (CHAT, {"messages": [{"role": "user", "content": [{"type": "nosuch"}]}]}, "messages"),
    (CHAT, {"tools": [TOOL], "tool_choice": {"type": "function", "function": {}}}, "tool_choice"),
    (CHAT, {"tools": [TOOL], "tool_choice": {"type": "x"}}, "tool_choice"),
    (CHAT, {"tools": [{"type": "custom"}], "tool_choice": NAMED}, "tools.0.type"),
    (CHAT, {"tools": [{"type": "function"}], "tool_choice": NAMED}, "tools.0.function"),
    (CHAT, {"tools": [{"function": {"name": 5}}], "tool_choice": NAMED}, "tools.0.function.name"),
    (
        CHAT,
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}},
        "response_format.json_schema.schema",
    ),
    (
        CHAT,
        {"response_format": {"type": "json_schema", "json_schema": {"name": 5}}},
        "response_format.json_schema",
    ),
    (CHAT, {"response_format": {"type": "json_object", "schema": {}}}, "response_format.schema"),
    (CHAT, {"modalities": "audio"}, "modalities"),
    (CHAT, {"web_search_options": {}}, "web_search_options"),
    (CHAT, {"text": {"format": {"type": "json_object"}}}, "text"),
    (CHAT, {"reasoning": {"effort": "low"}}, "reasoning"),
    (CHAT, {"regex": "a+"}, "regex"),
    (CHAT, {"guided_of_tomorrow": 1}, "guided_of_tomorrow"),
    (COMPLETIONS, {"top_logprobs": 2}, "top_logprobs"),
    (COMPLETIONS, {"tools": [TOOL]}, "tools"),
    (RESPONSES, {"n": 2}, "n"),
    (RESPONSES, {"logprobs": True}, "logprobs"),
    (RESPONSES, {"min_tokens": 4}, "min_tokens"),
    (RESPONSES, {"reasoning_effort": "low"}, "reasoning_effort"),
    (RESPONSES, {"prompt": {"id": "pmpt_1"}}, "prompt"),
    (RESPONSES, {"top_logprobs": -1}, "top_logprobs"),
    (RESPONSES, {"tool_choice": {"type": "function", "name": "g"}}, "tool_choice"),
    (RESPONSES, {"tool_choice": {"type": "function", "name": [7]}}, "tool_choice.name"),
    (RESPONSES, {"tool_choice": "required"}, "tool_choice"),
    (RESPONSES, {"input": [{"type": "function_call", "call_id": 5}]}, "input.0"),
    (RESPONSES, {"input": [SEARCHED]}, "input"),
    (RESPONSES, {"text": {"format": {"type": "json_schema", "json_schema": {}}}}, "text.format"),
    (CHAT, {"tools": strict(type="nosuch"), "response_format": {"type": "json_object"}}, "tools"),
    (CHAT, {"tools": strict(type="integer", minimum=5, maximum=2)}, "tools"),
    (
        CHAT,
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"\ud800": 1}}}]},
        "tools.0.function.parameters.?",
    ),
    (CHAT, {"logprobs": True, "top_logprobs": -1}, "top_logprobs"),
    (CHAT, {"logit_bias": {"-1": 1}}, "logit_bias"),
    (CHAT, {"logit_bias": {"1.5": 1}}, "logit_bias"),
    (CHAT, {"stop_token_ids": [-1]}, "stop_token_ids"),
    (CHAT, {"vllm_xargs": {"a": 2**70}}, "vllm_xargs"),
    (CHAT, {"thinking": {"type": "enabled"}}, "thinking"),
    (CHAT, {"max_new_tokens": 9}, "max_new_tokens"),
    (CHAT, {"enable_thinking": True}, "enable_thinking"),
    (CHAT, {"logits_processors": ["a.b"]}, "logits_processors"),
    (COMPLETIONS, {"n_predict": 9}, "n_predict"),
    (RESPONSES, {"input": {}}, "input"),
    *(
        (path, {"metadata": notes}, param)
        for path in (CHAT, COMPLETIONS, RESPONSES)
        for notes, param in (
            (["a"], "metadata"),
            ({"a": 7}, "metadata.a"),
            ({"a": "x" * 513}, "metadata.a"),
            ({"x" * 65: "a"}, "metadata"),
            ({str(number): "a" for number in range(17)}, "metadata"),
        )
    ),
    (CHAT, {"store": "yes"}, "store"),
    (CHAT, {"service_tier": 7}, "service_tier"),
    (CHAT, {"safety_identifier": 7}, "safety_identifier"),
    (RESPONSES, {"safety_identifier": ["a"]}, "safety_identifier"),
    (
        CHAT,
        {"tools": strict(properties={f"p{n}": {"type": "string"} for n in range(1500)})},
        "tools",
    ),
    (RESPONSES, {"background": True, "store": False}, "background"),
    (RESPONSES, {"chat_template_kwargs": {"messages": 7}}, "chat_template_kwargs"),
]
ASKED = {
    CHAT: ASK,
    COMPLETIONS: {"model": MODEL, "prompt": "Hi"},
    RESPONSES: {"model": MODEL, "input": "Hi"},
}


def tells(response: httpx.Response, param: str) -> bool:
    """Whether it is a 400 in our words that names the field."""
    if response.text.startswith("event: response.created"):  # looked at once it is in progress
        error = events_of(response.text)[-1]["response"]["error"]
        error = {**error, "param": param}  # OpenAI's has none
    elif response.headers["content-type"].startswith("text/event-stream"):
        error = events_of(response.text)[-1].get("error", {"param": None, "message": ""})
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


@pytest.mark.parametrize("number", ["1e999", "1" + 309 * "0"], ids=["float", "integer"])
async def test_a_number_beyond_all_is_refused_however_it_is_written(
    number: str, serve: Serve
) -> None:
    async with serve(lambda request: Reply("#### 1")) as server:
        sent = json.dumps({**ASK, "logit_bias": {"5": 1}}).replace('"5": 1', f'"5": {number}')
        response = await server.http.post(CHAT, content=sent, headers=JSON)
        assert tells(response, "logit_bias.5"), response.text
        assert "from -100 to 100" in response.json()["error"]["message"]


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


async def test_a_stored_response_that_is_not_there_is_called_as_the_request_calls_it(
    serve: Serve,
) -> None:
    async with serve(lambda request: Reply("#### 1")) as server:
        response = await server.http.post(
            RESPONSES, json={**ASKED[RESPONSES], "previous_response_id": "resp_none"}
        )
        assert response.status_code == 404
        error = response.json()["error"]
        assert error["param"] == "previous_response_id"
        assert "`previous_response_id`" in error["message"]


async def test_an_answer_is_gone_on_with_whatever_its_parts(serve: Serve) -> None:
    turn = {"role": "user", "content": "Hi"}
    answer = {"type": "message", "role": "assistant", "id": "m", "status": "completed"}
    one, two = ({"type": "output_text", "text": text, "annotations": []} for text in ("un", "do"))
    refused = {"type": "refusal", "refusal": "No."}
    async with serve(lambda request: Reply("#### 1")) as server:
        for parts, text in (([], ""), ([one, two], "undo"), ([refused], "No."), ([one], "un")):
            said = [turn, {**answer, "content": parts}, turn]
            made = await server.post(RESPONSES, model=MODEL, input=said)
            assert made["status"] == "completed"
            prompt = server.client.get_tokenizer().decode(server.core.taken[-1].prompt_token_ids)
            assert text in prompt


async def test_what_a_client_got_back_can_be_sent_again_with_its_nulls(serve: Serve) -> None:
    turn = {"role": "user", "content": "Hi", "name": None}
    said = dict.fromkeys(("refusal", "annotations", "audio", "function_call", "tool_calls"))
    item = {"role": "user", "content": "Hi", "id": None, "status": None}
    async with serve(lambda request: Reply("#### 1")) as server:
        await server.chat(messages=[turn, {**said, "role": "assistant", "content": "Yes"}, turn])
        await server.chat(adaptation={"max_samples": None, "answer": None, "memory": None})
        await server.post(RESPONSES, model=MODEL, input=[item], reasoning={"effort": None})


async def test_messages_tells_errors_as_anthropic_does(serve: Serve) -> None:
    good = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    bodies = (
        ({"messages": 7}, 400, "invalid_request_error"),
        ({"model": "gpt-x"}, 404, "not_found_error"),
        ({"adaptation": {}}, 400, "invalid_request_error"),
        ({"guided_json": {"type": "object"}}, 400, "invalid_request_error"),
        ({"temperature": 9}, 400, "invalid_request_error"),
        ({"stop": ["x"]}, 400, "invalid_request_error"),
        ({"messages": []}, 400, "invalid_request_error"),
        ({"system": None, "mm_payload": None, "max_tokens": None}, 400, "invalid_request_error"),
    )
    async with serve(lambda request: Reply("Hello")) as server:
        for wrong, status, kind in bodies:
            response = await server.http.post("/v1/messages", json={**good, **wrong})
            assert response.status_code == status, response.text
            assert response.json().keys() == {"type", "error"}
            assert response.json()["error"]["type"] == kind
            assert not any(words in response.text for words in THEIR_WORDS)
        assert (await server.http.post("/v1/messages", json=good)).status_code == 200


async def test_messages_calls_a_field_as_anthropic_does(serve: Serve) -> None:
    asked = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    form = {"type": "json_schema", "schema": {"type": "nosuch"}}
    tool = {"name": "f", "strict": True, "input_schema": {"type": "nosuch"}}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"max_tokens": 2**40}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"top_k": 1.5}, "top_k"),
        ({"best_of": 2}, "best_of"),
        ({"stop_sequences": [""]}, "stop_sequences"),
        ({"output_config": {"format": form}}, "output_config.format"),
        ({"tools": [tool]}, "tools"),
        ({"output_format": form}, "output_format"),
        ({"mcp_servers": [{"type": "url", "url": "x"}]}, "mcp_servers"),
        ({"presence_penalty": 1}, "presence_penalty"),
        ({"logprobs": True}, "logprobs"),
    ]
    async with serve(lambda request: Reply("Hello")) as server:
        for wrong, name in cases:
            response = await server.http.post("/v1/messages", json={**asked, **wrong})
            assert response.status_code == 400, response.text
            assert response.json()["error"]["message"].startswith(f"`{name}` "), response.text
        assert server.core.taken == []


async def test_a_key_of_another_server_that_asks_for_nothing_is_no_fault(serve: Serve) -> None:
    nothing = {"thinking": {"type": "disabled"}, "enable_thinking": False, "best_of": 1}
    asked = {"max_tokens": 9, "mcp_servers": [], "presence_penalty": 0, "logprobs": False}
    async with serve(lambda request: Reply("#### 1")) as server:
        await server.chat(**nothing)
        await server.post("/v1/messages", **{**ASK, **asked})


async def test_a_whole_number_with_a_point_and_the_greatest_biases_are_taken(serve: Serve) -> None:
    asked = {"model": MODEL, "prompt": "Hi", "n": 2.0, "best_of": 2.0, "logit_bias": {"5": -100}}
    async with serve(lambda request: Reply("#### 1")) as server:
        made = await server.post(COMPLETIONS, **asked, adaptation=PLAIN)
        assert len(made["choices"]) == 2
        await server.chat(logit_bias={"5": 100.0}, max_tokens=9.0)


async def test_routes_of_the_engines_own_tell_the_field(serve: Serve) -> None:
    label = {"model": MODEL, "query": "?", "items": ["a"], "label_token_ids": [1]}
    batch = {"model": MODEL, "messages": [ASK["messages"]]}
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("/generative_scoring", {**label, "items": []}, "items"),
        ("/generative_scoring", {**label, "label_token_ids": []}, "label_token_ids"),
        ("/generative_scoring", {**label, "label_token_ids": [-1]}, "label_token_ids"),
        ("/invocations", {"prompt": 7}, "messages"),
        ("/v1/chat/completions/batch", {**batch, "n": 3}, "n"),
    ]
    async with serve(lambda request: Reply("#### 1")) as server:
        for path, body, param in cases:
            response = await server.http.post(path, json=body)
            assert tells(response, param), response.text


async def test_messages_tells_an_error_within_a_stream_as_anthropic_does(serve: Serve) -> None:
    body = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    async with serve(lambda request: Reply("", error=ValueError("too odd"))) as server:
        response = await server.http.post("/v1/messages", json={**body, "stream": True})
        assert response.text.startswith("event: error")
        (event,) = events_of(response.text)
        assert event["type"] == "error"
        assert event["error"].keys() == {"type", "message"}
        assert event["error"]["type"] == "invalid_request_error"
        assert "too odd" in event["error"]["message"]


async def test_more_stops_than_allowed_are_counted_in_a_true_sentence(serve: Serve) -> None:
    async with serve(lambda request: Reply("#### 1")) as server:
        response = await server.http.post(CHAT, json={**ASK, "stop": ["a"] * 40})
        assert "`stop` takes at most" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "given",
    [
        {"properties": {f"p{number}": {"type": "string"} for number in range(2_000)}},
        {"type": "string", "pattern": "^.{1,5000}$"},
    ],
    ids=["long", "repeating"],
)
async def test_a_form_of_a_message_is_bounded_too(serve: Serve, given: dict[str, Any]) -> None:
    held = {"format": {"type": "json_schema", "schema": given}}
    asked = {**ASK, "max_tokens": 9, "output_config": held}
    async with serve(lambda request: Reply("{}")) as server:
        response = await server.http.post("/v1/messages", json=asked)
        assert response.status_code == 400
        assert response.json()["error"]["message"].count("`output_config.format`") == 1
        assert not server.core.taken

"""The crossing points of the wire: options taken off a request, the report put on a response."""

from __future__ import annotations

import json
import math
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from adaptation.options import Strategy
from adaptation.report import AnswerCount, Report, SampleCounts, StopReason, TokenCounts
from adaptation.types import Outcome
from server.adaptation_middleware import PLAIN_PATHS, AdaptationMiddleware
from server.adaptation_request import split_model, take_context, take_nothing
from server.adaptation_response import amend_response
from server.config import Settings
from server.errors import ApiError
from server.request_context import CHAT, COMPLETIONS, CURRENT, RESPONSES, RequestContext

HELLO = [{"role": "user", "content": "Hello"}]


def context_of(path: str = CHAT, settings: Settings | None = None, **body: Any) -> RequestContext:
    full = {"model": "m", "messages": HELLO, **body}
    context = take_context(path, full, settings or Settings(), "default")
    assert context is not None
    return context


def report(returned: int = 3, losing: int = 6, cancelled: int = 1) -> Report:
    return Report(
        strategy=Strategy.CONSISTENCY,
        requested=Strategy.CONSISTENCY,
        stop_reason=StopReason.CONFIDENT,
        samples=SampleCounts(started=4, finished=3, cancelled=1),
        tokens=TokenCounts(returned=returned, losing=losing, cancelled=cancelled),
    )


@pytest.mark.parametrize(
    ("name", "model", "strategy"),
    [
        ("m:ttt", "m", Strategy.TTT),
        ("org/m:plain", "org/m", Strategy.PLAIN),
        ("m", "m", None),
        ("ft:base:org", "ft:base:org", None),
        ("ft:base:org:auto", "ft:base:org", Strategy.AUTO),
        ("ttt", "ttt", None),
    ],
)
def test_a_strategy_is_split_off_a_models_name(
    name: str, model: str, strategy: Strategy | None
) -> None:
    assert split_model(name) == (model, strategy)


def test_what_a_request_leaves_open_comes_from_the_servers_settings() -> None:
    settings = Settings(strategy=Strategy.AUTO, max_samples=5, confidence=0.8, wall_s=9)
    context = context_of(settings=settings)
    assert context.options.strategy is Strategy.AUTO
    assert (context.options.max_samples, context.options.confidence) == (5, 0.8)
    assert context.deadline < float("inf")


def test_what_a_request_says_wins_over_the_settings_and_leaves_the_body() -> None:
    body = {"model": "m:ttt", "messages": HELLO, "adaptation": {"max_samples": 3}, "n": 2}
    context = take_context(CHAT, body, Settings(), "default")
    assert context is not None
    assert (context.options.strategy, context.options.max_samples) == (Strategy.TTT, 3)
    assert body == {"model": "m", "messages": HELLO, "n": 2}


def test_turns_without_plain_text_keep_their_content() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "7", "tool_call_id": "1"},
    ]
    turns = context_of(messages=messages).conversations[0]
    assert turns[0].content == "a\nb"
    assert (turns[1].content, turns[1].tool_calls) == ("", (call,))
    assert (turns[2].content, turns[2].tool_call_id) == ("7", "1")


@pytest.mark.parametrize(
    ("path", "body", "shape"),
    [
        (CHAT, {"messages": HELLO, "raw": True, "add_special_tokens": False}, {}),
        (CHAT, {"messages": HELLO, "add_special_tokens": True}, {"add_special_tokens": True}),
        (COMPLETIONS, {"prompt": "a"}, {"raw": True}),
        (COMPLETIONS, {"prompt": "a", "add_special_tokens": True}, {"raw": True}),
        (
            COMPLETIONS,
            {"prompt": "a", "add_special_tokens": False},
            {"raw": True, "add_special_tokens": False},
        ),
        (RESPONSES, {"input": "a", "reasoning": {"effort": "low"}}, {"reasoning_effort": "low"}),
        (RESPONSES, {"input": "a", "reasoning": {"effort": None}}, {}),
    ],
)
def test_what_makes_a_prompt_is_known_whatever_the_route(
    path: str, body: dict[str, Any], shape: dict[str, Any]
) -> None:
    context = take_context(path, {"model": "m", **body}, Settings(), "default")
    assert context is not None
    assert context.request == shape


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [("a", ["a"]), (["a", "b"], ["a", "b"]), ([1, 2, 3], [""]), ([[1, 2], [3]], ["", ""])],
)
def test_every_prompt_is_a_conversation_of_its_own(prompt: object, texts: list[str]) -> None:
    context = context_of(COMPLETIONS, prompt=prompt)
    assert [turns[0].content for turns in context.conversations] == texts


def test_beam_search_is_left_to_vllm_unless_a_vote_was_asked_for() -> None:
    body = {"model": "m", "messages": HELLO, "use_beam_search": True}
    assert take_context(CHAT, {**body}, Settings(), "default") is None
    with pytest.raises(ApiError) as caught:
        context_of(use_beam_search=True, adaptation={"strategy": "consistency"})
    assert caught.value.param == "use_beam_search"


@pytest.mark.parametrize("budget", [{"wall_s": 5}, {"tokens": 100}])
def test_a_budget_that_plain_would_ignore_is_refused(budget: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        context_of(model="m:plain", adaptation={"budget": budget})
    assert caught.value.param == "adaptation.budget"


def test_verifiers_without_a_vote_are_refused() -> None:
    check = {"type": "string_check", "operation": "eq", "reference": "7"}
    with pytest.raises(ApiError) as caught:
        context_of(model="m:plain", adaptation={"verifiers": [check]})
    assert caught.value.param == "adaptation.verifiers"


def asgi_client(answer: Any) -> httpx.AsyncClient:
    """A client of the middleware around one handler, which sees the context vLLM's would."""
    paths = (CHAT, COMPLETIONS, RESPONSES)
    app = Starlette(routes=[Route(path, answer, methods=["POST"]) for path in paths])
    transport = httpx.ASGITransport(AdaptationMiddleware(app, Settings()))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def test_a_response_gets_its_report_and_a_bill_for_every_token() -> None:
    async def answer(request: Request) -> Response:
        context = CURRENT.get()
        assert context is not None
        assert await request.json() == {"model": "m", "messages": HELLO}
        context.reports[0] = report()
        return JSONResponse({"id": "x", "usage": {"completion_tokens": 3, "total_tokens": 5}})

    async with asgi_client(answer) as client:
        response = await client.post(CHAT, json={"model": "m:consistency", "messages": HELLO})
    body = response.json()
    assert body["adaptation"]["tokens"] == report().tokens.model_dump()
    assert body["usage"] == {
        "completion_tokens": 10,
        "total_tokens": 12,
        "completion_tokens_details": {"reasoning_tokens": 7},
    }
    assert CURRENT.get() is None


async def test_a_plain_response_is_the_same_but_for_its_report() -> None:
    original = {"id": "x", "text": "}\n] ü", "usage": {"completion_tokens": 3}}

    async def answer(request: Request) -> Response:
        context = CURRENT.get()
        assert context is not None
        query = context.query("chatcmpl-1", 0, None, None)
        from adaptation.types import Sample

        context.reports[0] = Outcome.plain(query, Sample(0, "hi", 3, "stop")).report
        return JSONResponse(original)

    async with asgi_client(answer) as client:
        body = (await client.post(CHAT, json={"model": "m:plain", "messages": HELLO})).json()
    assert body.pop("adaptation")["strategy"] == "plain"
    assert body == original


@pytest.mark.parametrize("cut", [None, 7])
async def test_a_stream_carries_the_report_on_its_last_content_chunk(cut: int | None) -> None:
    """Events arrive whole or cut anywhere; keep-alive comments pass through."""
    events = [
        b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\n',
        b": keep-alive\n\n",
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
        b'data: {"choices":[],"usage":{"completion_tokens":3,"total_tokens":5}}\n\n',
        b"data: [DONE]\n\n",
    ]
    raw = b"".join(events)
    parts = events if cut is None else [raw[i : i + cut] for i in range(0, len(raw), cut)]

    async def answer(request: Request) -> Response:
        context = CURRENT.get()
        assert context is not None
        context.reports[0] = report()

        async def stream() -> Any:
            for part in parts:
                yield part

        return StreamingResponse(stream(), media_type="text/event-stream")

    async with asgi_client(answer) as client:
        text = (await client.post(CHAT, json={"model": "m", "messages": HELLO})).text
    first, comment, last, usage, done, _ = text.split("\n\n")
    assert comment == ": keep-alive"
    assert "adaptation" not in json.loads(first.removeprefix("data: "))
    assert json.loads(last.removeprefix("data: "))["adaptation"]["answer"] is None
    assert json.loads(usage.removeprefix("data: "))["usage"]["completion_tokens"] == 10
    assert done == "data: [DONE]"


async def test_progress_events_show_the_votes_before_the_answer() -> None:
    async def answer(request: Request) -> Response:
        context = CURRENT.get()
        assert context is not None
        assert context.progress is not None
        shown = context.progress

        async def stream() -> Any:
            shown.put_nowait((AnswerCount(answer="7", count=1),))
            await shown.join()
            yield b"data: [DONE]\n\n"

        return StreamingResponse(stream(), media_type="text/event-stream")

    body = {"model": "m", "messages": HELLO, "stream": True, "adaptation": {"progress": True}}
    async with asgi_client(answer) as client:
        text = (await client.post(CHAT, json=body)).text
    first, done, _ = text.split("\n\n")
    chunk = json.loads(first.removeprefix("data: "))
    assert chunk["adaptation"]["progress"]["votes"] == [{"answer": "7", "count": 1}]
    assert chunk["choices"] == []
    assert (chunk["object"], chunk["model"]) == ("chat.completion.chunk", "m")
    assert done == "data: [DONE]"


def test_progress_without_a_stream_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        context_of(adaptation={"progress": True})
    assert caught.value.param == "adaptation.progress"


async def test_an_error_of_the_handler_passes_untouched() -> None:
    async def answer(request: Request) -> Response:
        return JSONResponse({"error": {"message": "no"}}, 404)

    async with asgi_client(answer) as client:
        response = await client.post(CHAT, json={"model": "m", "messages": HELLO})
    assert (response.status_code, response.json()) == (404, {"error": {"message": "no"}})


@pytest.mark.parametrize("body", [b"{", b"[1]", b"7"])
async def test_what_is_no_object_goes_to_the_handler_as_it_came(body: bytes) -> None:
    async def answer(request: Request) -> Response:
        assert CURRENT.get() is None
        return Response(await request.body())

    async with asgi_client(answer) as client:
        assert (await client.post(CHAT, content=body)).content == body


@pytest.mark.parametrize("path", sorted(PLAIN_PATHS))
async def test_adaptation_is_refused_where_it_would_be_ignored(path: str) -> None:
    async def answer(request: Request) -> Response:
        return JSONResponse(await request.json())

    app = Starlette(routes=[Route(path, answer, methods=["POST"])])
    transport = httpx.ASGITransport(AdaptationMiddleware(app, Settings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for body in ({"model": "m", "adaptation": {}}, {"model": "m:ttt"}):
            response = await client.post(path, json=body)
            assert response.status_code == 400
            assert response.json()["error"]["param"] == "adaptation"
        assert (await client.post(path, json={"model": "m:plain"})).json() == {"model": "m"}


async def test_an_error_within_a_stream_has_the_one_error_shape() -> None:
    async def answer(request: Request) -> Response:
        async def stream() -> Any:
            error = {"message": "late", "type": "X", "param": None, "code": 504}
            yield b"data: " + json.dumps({"error": error}).encode() + b"\n\n"

        return StreamingResponse(stream(), media_type="text/event-stream")

    async with asgi_client(answer) as client:
        text = (await client.post(CHAT, json={"model": "m", "messages": HELLO})).text
    error = json.loads(text.removeprefix("data: "))["error"]
    assert error == {"message": "late", "type": "server_error", "param": None, "code": "timeout"}


async def test_the_handler_never_sees_the_clients_request_id() -> None:
    async def answer(request: Request) -> Response:
        return JSONResponse({"seen": request.headers.get("x-request-id")})

    async with asgi_client(answer) as client:
        response = await client.post(
            CHAT, json={"model": "m", "messages": HELLO}, headers={"x-request-id": "mine"}
        )
    assert response.json()["seen"] is None


class Usage(BaseModel):
    output_tokens: int
    total_tokens: int
    output_tokens_details: dict[str, int] = {"reasoning_tokens": 0}


class Made(BaseModel):
    """As vLLM's responses are: a model that lets further fields in."""

    model_config = ConfigDict(extra="allow")
    id: str = "resp_1"
    usage: Usage | None = None


async def test_a_response_object_is_billed_in_its_own_words() -> None:
    made = Made(usage=Usage(output_tokens=3, total_tokens=5))
    context = context_of(RESPONSES)
    context.reports[0] = report()
    token = CURRENT.set(context)
    try:
        body = amend_response(made).model_dump()
    finally:
        CURRENT.reset(token)
    assert body["adaptation"]["strategy"] == "consistency"
    assert body["usage"] == {
        "output_tokens": 10,
        "total_tokens": 12,
        "output_tokens_details": {"reasoning_tokens": 7},
    }
    assert made.usage == Usage(output_tokens=3, total_tokens=5), "vLLM's own is left alone"


async def test_a_response_is_passed_on_as_its_handler_made_it() -> None:
    events = b'event: response.completed\ndata: {"usage": {"output_tokens": 3}}\n\n'

    async def answer(request: Request) -> Response:
        context = CURRENT.get()
        assert context is not None
        context.reports[0] = report()
        return Response(events, media_type="text/event-stream")

    async with asgi_client(answer) as client:
        sent = (await client.post(RESPONSES, json={"model": "m", "input": "Hello"})).content
    assert sent == events


@pytest.mark.parametrize(
    ("body", "question"),
    [
        ({"input": "Hello?"}, "Hello?"),
        ({"input": [{"role": "user", "content": "Hello?"}], "instructions": "Be brief."}, "Hello?"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]}, "Hi"),
        (
            {
                "input": [
                    {"role": "user", "content": "Hello?"},
                    {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "1"},
                    {"type": "function_call_output", "call_id": "1", "output": "7"},
                ]
            },
            "Hello?",
        ),
        ({"input": 7}, ""),
        ({}, ""),
    ],
)
def test_the_question_of_a_response_is_found(body: dict[str, Any], question: str) -> None:
    context = take_context(RESPONSES, {"model": "m", **body}, Settings(), "default")
    assert context is not None
    assert context.query("resp_7_0", 0, None, None).question == question
    assert context.id == "resp_7"


def test_json_asked_for_on_responses_is_counted_as_json() -> None:
    body = {"model": "m", "input": "x", "text": {"format": {"type": "json_schema", "schema": {}}}}
    context = take_context(RESPONSES, body, Settings(), "default")
    assert context is not None
    assert context.json_output


def test_no_completion_has_the_id_of_another() -> None:
    body = {"model": "m", "messages": HELLO, "request_id": "mine"}
    take_context(CHAT, body, Settings(), "default")
    assert "request_id" not in body


EARLIER = {"model": "m", "input": "And then?", "previous_response_id": "resp_1"}


def test_what_continues_a_stored_response_leaves_memory_alone() -> None:
    context = take_context(RESPONSES, {**EARLIER}, Settings(), "default")
    assert context is not None
    assert not context.options.memory.read
    assert not context.options.memory.write
    first = take_context(
        RESPONSES, {**EARLIER, "previous_response_id": None}, Settings(), "default"
    )
    assert first is not None
    assert first.options.memory.read


@pytest.mark.parametrize("name", ["read", "write"])
def test_memory_asked_for_where_it_cannot_be_used_is_refused(name: str) -> None:
    asked = {"adaptation": {"memory": {name: True}}}
    with pytest.raises(ApiError) as caught:
        take_context(RESPONSES, {**EARLIER, **asked}, Settings(), "default")
    assert caught.value.param == f"adaptation.memory.{name}"
    assert take_context(RESPONSES, {**EARLIER, "adaptation": {}}, Settings(), "default")


LIMITED = Settings(limit_samples=8, limit_tokens=500, limit_wall_s=5.0)


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"max_samples": 9}, "adaptation.max_samples"),
        ({"budget": {"tokens": 501}}, "adaptation.budget.tokens"),
        ({"budget": {"wall_s": 5.5}}, "adaptation.budget.wall_s"),
    ],
)
def test_a_request_may_not_ask_for_more_than_the_server_allows(
    asked: dict[str, Any], param: str
) -> None:
    with pytest.raises(ApiError) as caught:
        context_of(settings=LIMITED, adaptation=asked)
    assert (caught.value.status, caught.value.param) == (400, param)
    context_of(adaptation=asked)


def test_what_a_request_leaves_open_is_the_servers_limit() -> None:
    context = context_of(settings=LIMITED)
    assert context.options.max_samples == 8
    assert (context.options.budget.tokens, context.options.budget.wall_s) == (500, 5.0)
    assert context.deadline < math.inf
    small = context_of(settings=LIMITED, adaptation={"budget": {"tokens": 7, "wall_s": 1.0}})
    assert (small.options.budget.tokens, small.options.budget.wall_s) == (7, 1.0)
    plain = context_of(settings=LIMITED, model="m:plain")
    assert plain.options.budget.tokens is None


def test_the_earlier_of_the_servers_two_deadlines_is_a_silent_requests() -> None:
    both = Settings(wall_s=60.0, limit_wall_s=20.0)
    assert context_of(settings=both).options.budget.wall_s == 20.0
    assert context_of(settings=Settings(wall_s=5.0, limit_wall_s=20.0)).options.budget.wall_s == 5.0


def test_an_answer_within_a_stored_conversation_is_not_remembered_out_of_it() -> None:
    body = {"model": "m", "input": "And doubled?", "previous_response_id": "resp_1"}
    context = take_context(RESPONSES, body, Settings(), "default")
    assert context is not None
    assert (context.options.memory.read, context.options.memory.write) == (False, False)


@pytest.mark.parametrize(
    ("body", "may"),
    [
        ({}, True),
        ({"tools": []}, True),
        ({"truncate_prompt_tokens": 9}, False),
        ({"reasoning_effort": "low"}, False),
        ({"response_format": {"type": "json_object"}}, False),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}, False),
        ({"messages": [{"role": "assistant", "content": "", "tool_calls": []}]}, False),
    ],
)
def test_a_chat_is_reworded_only_where_its_messages_say_all(
    body: dict[str, Any], may: bool
) -> None:
    assert context_of(**body).can_be_reworded is may


async def test_a_stream_of_completions_says_at_once_that_it_has_begun() -> None:
    async def answer(request: Request) -> Response:
        async def stream() -> Any:
            yield b"data: [DONE]\n\n"

        return StreamingResponse(stream(), media_type="text/event-stream")

    async with asgi_client(answer) as client:
        text = (await client.post(COMPLETIONS, json={"model": "m", "prompt": "Hi"})).text
        plain = (await client.post(COMPLETIONS, json={"model": "m:plain", "prompt": "Hi"})).text
    assert text == ": the vote has begun\n\ndata: [DONE]\n\n"
    assert plain == "data: [DONE]\n\n", "where there is no vote, none has begun"


@pytest.mark.parametrize(
    ("schedule", "asked", "is_named"),
    [((), {}, True), ((0.5, 1.0), {}, False), ((0.5, 1.0), {"temperature": 0.6}, True)],
)
def test_a_schedule_rules_only_where_no_temperature_is_named(
    schedule: tuple[float, ...], asked: dict[str, float], is_named: bool
) -> None:
    body = {"model": "m", "messages": HELLO, "adaptation": asked}
    context = take_context(CHAT, body, Settings(temperatures=schedule), "default")
    assert context is not None
    assert ("temperature" in context.options.model_fields_set) is is_named


@pytest.mark.parametrize("temperature", [0, 0.0, 1e-6])
def test_several_choices_of_a_vote_need_no_temperature(temperature: float) -> None:
    body = {"model": "m", "messages": HELLO, "n": 2, "temperature": temperature}
    context = take_context(CHAT, body, Settings(temperature=0.6), "default")
    assert context is not None
    assert body["temperature"] == context.options.temperature == 0.6


@pytest.mark.parametrize(
    "body",
    [
        {"model": "m:plain", "n": 2, "temperature": 0},
        {"model": "m", "n": 1, "temperature": 0},
        {"model": "m", "n": 2, "temperature": 0.3},
        {"model": "m", "n": 2, "temperature": -1},
        {"model": "m", "n": "2", "temperature": None},
    ],
)
def test_any_other_temperature_is_passed_on(body: dict[str, Any]) -> None:
    given = {**body, "messages": HELLO}
    take_context(CHAT, given, Settings(), "default")
    assert given["temperature"] == body["temperature"]


FUNCTION = {"name": "f", "parameters": {}}


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        (CHAT, {"functions": [FUNCTION]}, "functions"),
        (CHAT, {"function_call": "auto"}, "function_call"),
        (CHAT, {"modalities": ["text", "audio"]}, "modalities"),
        (CHAT, {"model": "m:plain", "functions": [FUNCTION]}, "functions"),
        (CHAT, {"use_beam_search": True, "functions": [FUNCTION]}, "functions"),
        (COMPLETIONS, {"best_of": 2}, "best_of"),
        (COMPLETIONS, {"best_of": 3, "n": 2}, "best_of"),
        (COMPLETIONS, {"guided_choice": ["a"]}, "guided_choice"),
        (COMPLETIONS, {"max_completion_tokens": 5}, "max_completion_tokens"),
        (CHAT, {"guided_json": {}}, "guided_json"),
        (CHAT, {"guided_regex": "a+"}, "guided_regex"),
        (CHAT, {"guided_grammar": "root ::= a"}, "guided_grammar"),
        (CHAT, {"guided_decoding_backend": "xgrammar"}, "guided_decoding_backend"),
        (CHAT, {"model": "m:plain", "guided_whitespace_pattern": " "}, "guided_whitespace_pattern"),
        (RESPONSES, {"response_format": {"type": "json_object"}}, "response_format"),
        (RESPONSES, {"max_tokens": 5}, "max_tokens"),
        (RESPONSES, {"guided_json": {"type": "object"}}, "guided_json"),
        (RESPONSES, {"conversation": "conv_1"}, "conversation"),
        (RESPONSES, {"conversation": {"id": "conv_1"}}, "conversation"),
    ],
)
def test_what_would_be_dropped_without_a_word_is_refused(
    path: str, body: dict[str, Any], param: str
) -> None:
    with pytest.raises(ApiError) as caught:
        context_of(path, **body)
    assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, {"functions": [], "function_call": None, "modalities": ["text"]}),
        (CHAT, {"functions": None, "modalities": None}),
        (CHAT, {"guided_json": None, "guided_choice": []}),
        (RESPONSES, {"response_format": None, "max_tokens": None}),
        (COMPLETIONS, {"best_of": None}),
        (COMPLETIONS, {"best_of": 1}),
        (COMPLETIONS, {"best_of": 2, "n": 2}),
        (RESPONSES, {"conversation": None}),
    ],
)
def test_what_asks_for_nothing_is_not_refused(path: str, body: dict[str, Any]) -> None:
    context_of(path, **body)


@pytest.mark.parametrize("path", [f"/api{CHAT}", CHAT])
async def test_a_request_is_adapted_below_a_root_path_too(path: str) -> None:
    async def answer(request: Request) -> Response:
        context = CURRENT.get()
        assert context is not None
        return JSONResponse({"route": context.route, "body": await request.json()})

    app = Starlette(routes=[Route(CHAT, answer, methods=["POST"])])
    transport = httpx.ASGITransport(AdaptationMiddleware(app, Settings()), root_path="/api")
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.post(path, json={"model": "m:ttt", "messages": HELLO})
    assert response.json() == {"route": CHAT, "body": {"model": "m", "messages": HELLO}}


@pytest.mark.parametrize(
    ("path", "field", "advice"),
    [
        (CHAT, "guided_json", "structured_outputs"),
        (COMPLETIONS, "guided_regex", "structured_outputs"),
        (RESPONSES, "response_format", "text.format"),
        (RESPONSES, "max_tokens", "max_output_tokens"),
    ],
)
def test_what_is_refused_comes_with_the_field_to_use(path: str, field: str, advice: str) -> None:
    with pytest.raises(ApiError, match=f"`{field}` .*`{advice}`"):
        context_of(path, **{field: {"a": 1}})


@pytest.mark.parametrize("path", sorted(PLAIN_PATHS))
def test_guided_fields_are_refused_on_vllms_own_routes_too(path: str) -> None:
    with pytest.raises(ApiError, match="structured_outputs"):
        take_nothing(path, {"model": "m", "guided_json": {"type": "object"}})


@pytest.mark.parametrize(
    ("path", "body", "form"),
    [
        (CHAT, {"response_format": {"type": "json_object"}}, "response_format"),
        (CHAT, {"structured_outputs": {"regex": "a"}}, "structured_outputs"),
        (CHAT, {"tools": [{"type": "function"}]}, "tools"),
        (RESPONSES, {"text": {"format": {"type": "json_object"}}}, "text.format"),
        (RESPONSES, {"text": {"verbosity": "low"}}, None),
        (CHAT, {}, None),
    ],
)
def test_the_key_that_asks_for_a_form_is_known(
    path: str, body: dict[str, Any], form: str | None
) -> None:
    assert context_of(path, **body).form == form

"""The crossing point of the wire on the way in: options taken off a request."""

from __future__ import annotations

import math
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adaptation.options import Strategy
from server.adapters.serving import Serving
from server.config import Settings
from server.http.adaptation_middleware import PLAIN_PATHS, AdaptationMiddleware
from server.refusals.errors import ApiError
from server.requests.adaptation_request import take_context, take_nothing
from server.requests.conversations import conversations
from server.requests.earlier_turns import Earlier
from server.requests.request_context import (
    ARRIVAL,
    CHAT,
    COMPLETIONS,
    RESPONSES,
    Arrival,
    Asked,
    RequestContext,
)
from server.requests.request_options import split_model
from tests.server.named import NO_MODELS, ONLY_M, Named, nothing_said

SALTED = {"cache_salt": "DEFAULT"}

HELLO = [{"role": "user", "content": "Hello"}]


def context_of(path: str = CHAT, settings: Settings | None = None, **body: Any) -> RequestContext:
    asked = {} if path in (COMPLETIONS, RESPONSES) else {"messages": HELLO}
    full = {"model": "m", **asked, **body}
    context = take_context(path, full, settings or Settings(), "default")
    assert context is not None
    return context


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
    """A client of the middleware around one handler, which sees what vLLM's would."""
    paths = (CHAT, COMPLETIONS, RESPONSES)
    app = Starlette(routes=[Route(path, answer, methods=["POST"]) for path in paths])
    transport = httpx.ASGITransport(
        Named(AdaptationMiddleware(app, Settings(), str.upper, nothing_said, NO_MODELS))
    )
    return httpx.AsyncClient(transport=transport, base_url="http://test")


def arrived(request: Request) -> Arrival:
    arrival: Arrival = request.scope[ARRIVAL]
    return arrival


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, RESPONSES])
async def test_a_handler_is_given_the_parsed_body_and_what_is_asked_of_adaptation(
    path: str,
) -> None:
    async def answer(request: Request) -> Response:
        context = arrived(request).context
        assert context is not None
        seen = {"route": context.route, "strategy": context.options.strategy}
        return JSONResponse({**seen, "body": arrived(request).body})

    asked = {CHAT: {"messages": HELLO}, COMPLETIONS: {"prompt": "Hi"}, RESPONSES: {"input": "Hi"}}
    async with asgi_client(answer) as client:
        response = await client.post(path, json={"model": "m:ttt", "n": None, **asked[path]})
    body = {"model": "m", **asked[path], **SALTED}
    assert response.json() == {"route": path, "strategy": "ttt", "body": body}


async def test_verifiers_are_built_before_the_handler_sees_the_request() -> None:
    async def answer(request: Request) -> Response:
        context = arrived(request).context
        assert context is not None
        return JSONResponse(len(context.verifiers))

    check = {"type": "string_check", "operation": "eq", "reference": "7"}
    body = {"model": "m", "messages": HELLO, "adaptation": {"verifiers": [check]}}
    async with asgi_client(answer) as client:
        assert (await client.post(CHAT, json=body)).json() == 1


@pytest.mark.parametrize(("status", "is_told"), [(200, True), (400, False)])
async def test_only_a_good_answer_has_the_headers_that_its_handler_asks_for(
    status: int, is_told: bool
) -> None:
    async def answer(request: Request) -> Response:
        arrived(request).headers = {"x-whet-strategy": "auto"}
        return JSONResponse({}, status)

    async with asgi_client(answer) as client:
        response = await client.post(CHAT, json={"model": "m", "messages": HELLO})
    assert ("x-whet-strategy" in response.headers) is is_told


async def test_an_answer_passes_byte_by_byte() -> None:
    raw = b'data: {"usage": {}, "finish_reason": "stop"}\n\ndata: [DONE]\n\n'

    async def answer(request: Request) -> Response:
        return Response(raw, media_type="text/event-stream")

    async with asgi_client(answer) as client:
        response = await client.post(CHAT, json={"model": "m", "messages": HELLO})
    assert response.content == raw


def test_progress_without_a_stream_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        context_of(adaptation={"progress": True})
    assert caught.value.param == "adaptation.progress"


@pytest.mark.parametrize("body", [b"{", b"[1]", b"7"])
async def test_what_is_no_object_goes_to_the_handler_as_it_came(body: bytes) -> None:
    async def answer(request: Request) -> Response:
        assert ARRIVAL not in request.scope
        return Response(await request.body())

    async with asgi_client(answer) as client:
        assert (await client.post(CHAT, content=body)).content == body


@pytest.mark.parametrize("path", sorted(PLAIN_PATHS))
async def test_adaptation_is_refused_where_it_would_be_ignored(path: str) -> None:
    async def answer(request: Request) -> Response:
        return JSONResponse(arrived(request).body)

    app = Starlette(routes=[Route(path, answer, methods=["POST"])])
    transport = httpx.ASGITransport(
        Named(AdaptationMiddleware(app, Settings(), str.upper, nothing_said, ONLY_M))
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for body in ({"model": "m", "adaptation": {}}, {"model": "m:ttt"}):
            response = await client.post(path, json=body)
            assert response.status_code == 400
            assert response.json()["error"]["param"] == "adaptation"
        assert (await client.post(path, json={"model": "m:plain"})).json() == {
            "model": "m",
            **SALTED,
        }


async def test_the_handler_never_sees_the_clients_request_id() -> None:
    async def answer(request: Request) -> Response:
        return JSONResponse({"seen": request.headers.get("x-request-id")})

    async with asgi_client(answer) as client:
        response = await client.post(
            CHAT, json={"model": "m", "messages": HELLO}, headers={"x-request-id": "mine"}
        )
    assert response.json()["seen"] is None


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
    query = Asked(context, "resp_7_0").query(None, Serving())
    assert (query.id, query.question) == ("resp_7", question)


def test_json_asked_for_on_responses_is_counted_as_json() -> None:
    body = {"model": "m", "input": "x", "text": {"format": {"type": "json_schema", "schema": {}}}}
    context = take_context(RESPONSES, body, Settings(), "default")
    assert context is not None
    assert context.json_output


def test_no_completion_has_the_id_of_another() -> None:
    body = {"model": "m", "messages": HELLO, "request_id": "mine"}
    take_context(CHAT, body, Settings(), "default")
    assert "request_id" not in body


EARLIER = {"model": "m", "input": "And then?", "previous_input_messages": [{"role": "user"}]}


def test_earlier_messages_that_are_not_known_leave_memory_alone() -> None:
    context = take_context(RESPONSES, {**EARLIER}, Settings(), "default")
    assert context is not None
    assert not context.options.memory.read
    assert not context.options.memory.write
    first = take_context(
        RESPONSES, {**EARLIER, "previous_input_messages": None}, Settings(), "default"
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


def test_what_was_said_before_is_part_of_what_is_asked() -> None:
    said = ({"role": "user", "content": "2 + 3?"}, {"role": "assistant", "content": "5"})
    body = {"model": "m", "input": "And doubled?"}
    context = take_context(RESPONSES, body, Settings(), "default", Earlier(said, "resp_1"))
    assert context is not None
    assert (context.options.memory.read, context.options.memory.write) == (True, True)
    whole = {"model": "m", "input": [*said, {"role": "user", "content": "And doubled?"}]}
    assert context.conversations == conversations(RESPONSES, whole)
    assert body["input"] == "And doubled?", "what is the request's own stays so"


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
        {"model": "m", "n": [2], "temperature": None},
    ],
)
def test_any_other_temperature_is_passed_on(body: dict[str, Any]) -> None:
    given = {**body, "messages": HELLO}
    take_context(CHAT, given, Settings(), "default")
    assert given["temperature"] == body["temperature"]


MISSPELT = ("adaption", "adaptations", "Adaptation", "adapation", "adaptation ")
MESSAGES = "/v1/messages"
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
        (CHAT, {"input": "hi"}, "input"),
        (CHAT, {"suffix": "."}, "suffix"),
        (CHAT, {"background": True}, "background"),
        (CHAT, {"truncation": "auto"}, "truncation"),
        (COMPLETIONS, {"messages": HELLO}, "messages"),
        (COMPLETIONS, {"include": ["message.output_text.logprobs"]}, "include"),
        (COMPLETIONS, {"chat_template_kwargs": {"enable_thinking": False}}, "chat_template_kwargs"),
        (COMPLETIONS, {"previous_response_id": "resp_1"}, "previous_response_id"),
        (RESPONSES, {"messages": HELLO}, "messages"),
        (RESPONSES, {"verbosity": "low"}, "verbosity"),
        (RESPONSES, {"continue_final_message": True}, "continue_final_message"),
        *((CHAT, {name: {"strategy": "plain"}}, name) for name in MISSPELT),
        (COMPLETIONS, {"adaption": {}}, "adaption"),
        (RESPONSES, {"adaption": {"strategy": "plain"}}, "adaption"),
        (MESSAGES, {"adaption": {"strategy": "plain"}}, "adaption"),
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
        (CHAT, {"background": False, "include": [], "truncation": "disabled", "input": None}),
        (CHAT, {"adapter": "a", "adapter_id": "b", "adapters": []}),
        (COMPLETIONS, {"messages": [], "continue_final_message": False}),
        (RESPONSES, {"messages": None, "truncation": "auto", "background": False}),
    ],
)
def test_what_asks_for_nothing_is_not_refused(path: str, body: dict[str, Any]) -> None:
    context_of(path, **body)


@pytest.mark.parametrize("path", [f"/api{CHAT}", CHAT])
async def test_a_request_is_adapted_below_a_root_path_too(path: str) -> None:
    async def answer(request: Request) -> Response:
        context = arrived(request).context
        assert context is not None
        return JSONResponse({"route": context.route, "body": arrived(request).body})

    app = Starlette(routes=[Route(CHAT, answer, methods=["POST"])])
    transport = httpx.ASGITransport(
        Named(AdaptationMiddleware(app, Settings(), str.upper, nothing_said, NO_MODELS)),
        root_path="/api",
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.post(path, json={"model": "m:ttt", "messages": HELLO})
    assert response.json() == {"route": CHAT, "body": {"model": "m", "messages": HELLO, **SALTED}}


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
    writes_nothing = path == "/generative_scoring"
    advice = "nothing is written" if writes_nothing else "use `structured_outputs`"
    with pytest.raises(ApiError, match=f"`guided_json` is not available: .*{advice}"):
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

"""Handlers that report: what comes back on an answer, and what passes as vLLM made it."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict
from starlette.datastructures import State

from adaptation.options import Options, Strategy
from adaptation.report import AnswerCount, Report, SampleCounts, StopReason, TokenCounts
from memory.types import Message
from server.requests.conversations import conversations, prompt_shape
from server.requests.request_context import COMPLETIONS, RequestContext

with warnings.catch_warnings():  # of importing vLLM: others' deprecations
    warnings.simplefilter("ignore")
    from vllm.entrypoints.launchers.api_server.app_state import init_app_state

    from server.engine.outputs import Given
    from server.gateway.application import use_handlers
    from server.gateway.exchange import Exchange
    from server.gateway.models import Models
    from server.gateway.responses import MAX_FOLLOWED
    from server.gateway.streams import BEGUN, begun, event, reported, with_progress
    from tests.server.composed import ASK, MODEL, STORY, Composed, Reply, composed

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
CHUNK = {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]}
LAST = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = {"choices": [], "usage": {"completion_tokens": 3, "total_tokens": 5}}
DONE = "data: [DONE]\n\n"


def report(returned: int = 3, losing: int = 6, cancelled: int = 1) -> Report:
    return Report(
        strategy=Strategy.CONSISTENCY,
        requested=Strategy.CONSISTENCY,
        stop_reason=StopReason.CONFIDENT,
        samples=SampleCounts(started=4, finished=3, cancelled=1),
        tokens=TokenCounts(returned=returned, losing=losing, cancelled=cancelled),
    )


def exchange_of(prompts: int = 1, choices: int = 1) -> Exchange:
    asked = (Message(role="user", content="Hello"),)
    return Exchange(RequestContext("default", Options(), (asked,) * prompts), choices)


def told(exchange: Exchange, request_id: str, *reports: Report | None, recited: int = 0) -> None:
    """Let one call of the engine client come to its end."""
    asked = exchange.ask(request_id)
    for each in reports:
        choice = SimpleNamespace(finish_reason=None if each is None else "stop")
        exchange.note(asked, Given(SimpleNamespace(outputs=[choice]), each, recited))
    exchange.close()


async def events(*content: Any) -> AsyncGenerator[str, None]:
    for each in content:
        yield each if isinstance(each, str) else event(each)


def read(each: str) -> Any:
    return json.loads(each.removeprefix("data: "))


async def test_a_stream_has_its_report_on_the_last_content_chunk_and_a_bill_for_all() -> None:
    exchange = exchange_of()
    asked = exchange.ask("chatcmpl-1")

    async def chunks() -> AsyncGenerator[str, None]:
        yield event(CHUNK)
        choice = SimpleNamespace(finish_reason="stop")
        exchange.note(asked, Given(SimpleNamespace(outputs=[choice]), report()))
        yield event(LAST)
        exchange.close()
        yield event(USAGE)
        yield DONE

    first, last, usage, done = [
        each async for each in reported(chunks(), exchange, reads_all=False)
    ]
    assert first == event(CHUNK)
    assert read(last)["adaptation"]["tokens"] == report().tokens.model_dump()
    assert read(usage)["usage"] == {
        "completion_tokens": 10,
        "total_tokens": 12,
        "completion_tokens_details": {"reasoning_tokens": 7},
    }
    assert done == DONE


@pytest.mark.parametrize("reads_all", [False, True])
async def test_a_chunk_is_read_only_where_something_may_be_added(reads_all: bool) -> None:
    exchange, oddly_written = exchange_of(), 'data: {"choices":[],   "x": null}\n\n'
    exchange.ask("chatcmpl-1")
    passed = reported(events(oddly_written, DONE), exchange, reads_all=reads_all)
    first, done = [each async for each in passed]
    assert (first == oddly_written) is not reads_all
    assert done == DONE


async def test_each_choice_of_a_stream_has_the_report_of_its_prompt() -> None:
    exchange = exchange_of(prompts=2, choices=2)
    told(exchange, "cmpl-7-0", None, report(losing=1))
    told(exchange, "cmpl-7-1", None, report(losing=2))
    ends = [{"choices": [{"index": n, "text": "", "finish_reason": "stop"}]} for n in range(4)]
    passed = [read(each) async for each in reported(events(*ends), exchange, reads_all=False)]
    losing = [each["choices"][0]["adaptation"]["tokens"]["losing"] for each in passed]
    assert losing == [1, 1, 2, 2]
    assert not any("adaptation" in each for each in passed)


async def test_votes_are_shown_before_the_answer_that_they_lead_to() -> None:
    votes: asyncio.Queue[tuple[AnswerCount, ...]] = asyncio.Queue()

    async def chunks() -> AsyncGenerator[str, None]:
        votes.put_nowait((AnswerCount(answer="7", count=1),))
        votes.put_nowait((AnswerCount(answer="7", count=2),))
        yield DONE

    *shown, done = [each async for each in with_progress(chunks(), votes, {"id": "chatcmpl-1"})]
    assert [read(each)["adaptation"]["progress"]["votes"][0]["count"] for each in shown] == [1, 2]
    assert read(shown[0])["id"] == "chatcmpl-1"
    assert read(shown[0])["choices"] == []
    assert done == DONE


@pytest.mark.parametrize("is_waiting", [False, True])
async def test_a_stream_that_nobody_listens_to_any_more_is_closed_with_its_votes(
    is_waiting: bool,
) -> None:
    closed, votes = asyncio.Event(), asyncio.Queue[tuple[AnswerCount, ...]]()

    async def chunks() -> AsyncGenerator[str, None]:
        try:
            yield event(CHUNK)
            await asyncio.Event().wait()
        finally:
            closed.set()

    passed = with_progress(chunks(), votes, {})
    await anext(passed)
    if is_waiting:
        listening = asyncio.create_task(anext(passed))
        await asyncio.sleep(0)
        listening.cancel()
        await asyncio.wait([listening])
    await passed.aclose()
    assert closed.is_set()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_error_of_a_stream_is_not_lost_among_the_votes() -> None:
    async def chunks() -> AsyncGenerator[str, None]:
        yield event(CHUNK)
        raise RuntimeError("lost")

    passed = with_progress(chunks(), asyncio.Queue(), {})
    assert await anext(passed) == event(CHUNK)
    with pytest.raises(RuntimeError, match="lost"):
        await anext(passed)


async def test_a_comment_opens_a_stream_before_anything_is_generated() -> None:
    assert await anext(begun(events())) == BEGUN


class Usage(BaseModel):
    output_tokens: int
    total_tokens: int
    output_tokens_details: dict[str, int] = {"reasoning_tokens": 0}


class Made(BaseModel):
    """As vLLM's responses are: a model that lets further fields in."""

    model_config = ConfigDict(extra="allow")
    id: str = "resp_1"
    usage: Usage | None = None


def test_a_whole_response_is_billed_in_its_own_words() -> None:
    made, exchange = Made(usage=Usage(output_tokens=3, total_tokens=5)), exchange_of()
    told(exchange, "resp_1_0", report())
    body = exchange.completed(made).model_dump()
    assert body["adaptation"]["strategy"] == "consistency"
    assert body["usage"] == {
        "output_tokens": 10,
        "total_tokens": 12,
        "output_tokens_details": {"reasoning_tokens": 7},
    }
    assert made.usage == Usage(output_tokens=3, total_tokens=5), "vLLM's own is left alone"


def test_tokens_from_memory_are_not_billed_and_turns_add_up() -> None:
    exchange = exchange_of()
    told(exchange, "resp_1_0", report(0, 0, 0), recited=2)
    assert exchange.ask("resp_1_1").earlier == exchange.reports[0]
    told(exchange, "resp_1_1", report(1, 0, 0), recited=1)
    made = exchange.completed(Made(usage=Usage(output_tokens=4, total_tokens=9)))
    assert (made.usage.output_tokens, made.usage.total_tokens) == (1, 6)


Serve = Callable[..., AbstractAsyncContextManager[Composed]]


@pytest.fixture
def serve(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Return what serves one answer to everything."""

    def build(
        script: Any = lambda request: Reply("#### 2"), flags: Sequence[str] = ()
    ) -> AbstractAsyncContextManager[Composed]:
        return composed(data_dir.parent, monkeypatch, script, flags)

    return build


HANDLERS = (
    "openai_serving_chat",
    "openai_serving_completion",
    "openai_serving_responses",
    "anthropic_serving_messages",
    "openai_serving_models",
)
BUILT_ANEW = {
    *("response_store_lock", "lora_id_counter", "registry", "_most", "_loading", "_times"),
    *("stored", "tenants"),
}
FLAGS = (
    "--enable-auto-tool-choice --tool-call-parser hermes --reasoning-parser qwen3 "
    "--tool-strict-level parameter --exclude-tools-when-tool-choice-none",
    "--enable-force-include-usage --enable-per-request-metrics --enable-log-requests "
    "--enable-log-outputs --no-enable-log-deltas",
    "--return-tokens-as-token-ids --enable-prompt-tokens-details --trust-request-chat-template "
    "--response-role helper --anthropic-disabled-thinking-effort low",
    '--default-chat-template-kwargs {"a":1} --chat-template {{messages[0].content}} '
    "--chat-template-content-format string",
)


@pytest.mark.parametrize("flags", ["", *FLAGS])
async def test_our_handlers_are_what_vllm_makes_of_the_same_flags(flags: str, serve: Serve) -> None:
    async with serve(flags=flags.split()) as server:
        ours, theirs = server.app.state, State()
        tasks = await server.client.get_supported_tasks()
        await init_app_state(server.client, theirs, ours.args, tasks)
        for name in HANDLERS:
            assert type(ours[name]).__module__.startswith("server.gateway."), name
            found, wanted = attributes(ours[name]), attributes(theirs[name])
            assert found == wanted, name


async def test_responses_are_given_the_tools_that_the_server_runs(serve: Serve) -> None:
    async with serve() as server:
        state = server.app.state
        state.tool_server = object()
        use_handlers(state, state.args, state.openai_serving_responses.stored)
        assert state.openai_serving_responses.tool_server is state.tool_server


def attributes(handler: Any) -> dict[str, Any]:
    """What a handler knows, but for what is made for it alone."""
    known = {key: value for key, value in vars(handler).items() if key not in BUILT_ANEW}
    return {key: told_of(value) for key, value in known.items() if not key.endswith("_store")}


def told_of(value: Any) -> Any:
    """A plain value; of others which of vLLM's classes they are of, or made from."""
    if isinstance(value, str | int | float | bool | list | dict | tuple | None):
        return value
    if isinstance(value, type):  # a parser's, composed for the handler
        parts = ("tool_parser_cls", "reasoning_parser_cls", "tool_strict_level")
        return [value.__name__, *(getattr(value, part) for part in parts)]
    bases = [base for base in type(value).__mro__ if base.__module__.startswith("vllm.")]
    return (bases or [type(value)])[0].__qualname__


async def test_every_handler_goes_by_the_same_list_of_models(serve: Serve) -> None:
    async with serve(flags=["--enable-lora"]) as server:
        state = server.app.state
        models = state.openai_serving_models
        assert isinstance(models, Models)
        knowing = [each for each in state._state.values() if hasattr(each, "models")]
        assert len(knowing) > len(HANDLERS)
        assert all(each.models is models for each in knowing)


TOOL = {"type": "function", "function": {"name": "f", "parameters": {
    "type": "object", "properties": {"a": {"type": "string", "default": None}}}}}  # fmt: skip
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": "b"}'}}
SCHEMA = {"name": "s", "schema": {"type": "object", "properties": {}}, "strict": True}
TURNS = [
    {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "7"},
]


@pytest.mark.parametrize("strategy", ["plain", "consistency"])
async def test_what_vllm_makes_of_the_parsed_body_leaves_what_is_noted_of_it_as_it_came(
    strategy: str, serve: Serve
) -> None:
    """Both are given the same objects."""
    asked = {
        "messages": TURNS,
        "tools": [TOOL],
        "tool_choice": "auto",
        "response_format": {"type": "json_schema", "json_schema": SCHEMA},
        "chat_template_kwargs": {"a": {"b": [1]}},
        "documents": [{"title": "t", "text": "u"}],
    }
    flags = ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
    async with serve(lambda request: Reply("{}"), flags) as server:
        answer = await server.chat(**asked, adaptation={"strategy": strategy})
        noted = server.memory.completions.get("default", answer["id"])
        path = "/v1/chat/completions"
        assert noted.request == prompt_shape(path, asked)
        assert noted.messages == conversations(path, asked)[0]


async def test_requests_at_the_same_time_know_nothing_of_each_other(serve: Serve) -> None:
    def script(request: Any) -> Reply:
        return Reply(f"#### {len(request.prompt_token_ids)}")

    async with serve(script) as server:
        strategies = [("plain", "consistency")[number % 2] for number in range(8)]
        answers = await asyncio.gather(
            *(
                server.post(
                    COMPLETIONS, model=MODEL, prompt="x " * (number + 1),
                    adaptation={"strategy": strategy},
                )
                for number, strategy in enumerate(strategies)
            )
        )  # fmt: skip
        for answer, strategy in zip(answers, strategies, strict=True):
            assert answer["adaptation"]["strategy"] == strategy
            told = answer["adaptation"]["answer"]
            assert strategy == "plain" or f"#### {told}" in answer["choices"][0]["text"]
        assert server.app.state.openai_serving_completion.exchange is None


async def test_an_error_within_a_stream_has_the_one_error_shape(serve: Serve) -> None:
    async with serve(lambda request: Reply("", error=RuntimeError("/etc"))) as server:
        for path, asked in (
            ("/v1/chat/completions", ASK),
            (COMPLETIONS, {"model": MODEL, "prompt": "x"}),
        ):
            for strategy in ("plain", "consistency"):
                adaptation = {"strategy": strategy}
                (*_, error) = await server.events(path, **asked, adaptation=adaptation)
                assert error["error"]["type"] == "server_error"
                assert error["error"]["code"] is None or isinstance(error["error"]["code"], str)
                assert "/etc" not in error["error"]["message"]


@pytest.mark.parametrize(("strategy", "opens"), [("plain", False), ("consistency", True)])
async def test_a_stream_of_completions_says_at_once_that_a_vote_has_begun(
    strategy: str, opens: bool, serve: Serve
) -> None:
    body = {"model": MODEL, "prompt": "x", "stream": True, "adaptation": {"strategy": strategy}}
    async with serve() as server:
        text = (await server.http.post(COMPLETIONS, json=body)).text
        assert text.startswith(BEGUN) is opens, "where there is no vote, none has begun"


@pytest.mark.parametrize("strategy", ["plain", "consistency"])
async def test_log_probabilities_of_a_streamed_chat_name_a_refusal(
    strategy: str, serve: Serve
) -> None:
    asked = {**ASK, "logprobs": True, "adaptation": {"strategy": strategy}}
    async with serve() as server:
        chunks = await server.events("/v1/chat/completions", **asked)
        told = [choice["logprobs"] for chunk in chunks for choice in chunk["choices"]]
        assert len([each for each in told if each]) >= 2
        assert all(each["refusal"] is None for each in told if each)


async def test_nothing_of_a_response_stays_in_vllms_dictionaries(serve: Serve) -> None:
    async with serve(lambda request: Reply("#### 14")) as server:
        handler = server.app.state.openai_serving_responses
        asked = {"model": MODEL, "input": STORY}
        await server.post("/v1/responses", **asked)
        await server.events("/v1/responses", **asked)
        await server.post("/v1/responses", **asked, background=True)
        told = await server.events("/v1/responses", **asked, background=True)
        while handler.background_tasks:
            await asyncio.wait(handler.background_tasks.values())
        assert (handler.response_store, handler.msg_store, handler.tenants) == ({}, {}, {})
        assert list(handler.event_store) == [told[0]["response"]["id"]]
        assert handler.event_store.maxsize == MAX_FOLLOWED


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"model": ', "application/json"),
        (b"hello", "text/plain"),
        (b"\xff\xfe", "application/json"),
        (b'{"model": "whet-pebble", "messages": []}', "text/plain"),
    ],
)
async def test_a_body_that_no_route_takes_is_refused_and_nobody_waits_for_another(
    serve: Serve, content: bytes, kind: str
) -> None:
    """Who words the refusal reads the body as well."""
    async with serve(lambda request: Reply("#### 14")) as server, asyncio.timeout(10):
        headers = {"content-type": kind}
        refused = await server.http.post("/v1/chat/completions", content=content, headers=headers)
        assert refused.status_code == 400
        assert "JSON" in refused.json()["error"]["message"]

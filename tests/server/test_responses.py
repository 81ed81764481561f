"""Stored responses: whoever asks for one is told, whoever follows one comes to an end."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

with warnings.catch_warnings():  # of importing vLLM: others' deprecations
    warnings.simplefilter("ignore")
    from openai.types.responses import ResponseOutputItemDoneEvent
    from vllm.entrypoints.generate.base.protocol import FunctionCall
    from vllm.entrypoints.openai.responses.protocol import (
        ResponseCompletedEvent,
        ResponsesRequest,
        ResponsesResponse,
    )
    from vllm.entrypoints.openai.responses.serving import OpenAIServingResponses
    from vllm.entrypoints.openai.responses.utils import (
        build_response_output_items,
        construct_input_messages,
    )
    from vllm.exceptions import VLLMValidationError
    from vllm.sampling_params import SamplingParams

    from server.gateway.asking import Asking
    from server.gateway.response_form import shown, with_ends
    from server.gateway.responses import Responses

from memory.embedding.hashing import HashingEmbedder
from memory.errors import StorageUnavailableError
from memory.memory import LongTermMemory
from server.config import Settings
from server.requests.adaptation_request import take_context
from server.requests.earlier_turns import Earlier
from server.requests.request_context import ARRIVAL, RESPONSES, Arrival
from server.stored_responses import LOST, StoredResponses
from server.tenancy.principal import OPERATOR, PRINCIPAL


def response(status: str = "queued", id: str = "resp_1") -> ResponsesResponse:  # noqa: A002
    request = ResponsesRequest(model="m", input="x", request_id=id, max_output_tokens=9)
    made: ResponsesResponse = ResponsesResponse.from_request(
        request,
        SamplingParams(max_tokens=9),
        model_name="m",
        created_time=1,
        output=[],
        status=status,
        usage=None,
    )
    return made


class Amending:
    """Marks what passes."""

    def completed(self, made: Any) -> Any:
        return made.model_copy(update={"amended": True})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LongTermMemory]:
    memory = LongTermMemory.open(tmp_path, HashingEmbedder())
    yield memory
    memory.close()


@pytest.fixture
def responses(store: LongTermMemory) -> Responses:
    """Return what serves one request, without an engine behind it."""

    async def as_much(tenant: str) -> None:
        return None

    handler = Responses.__new__(Responses)
    handler.stored = StoredResponses(store, as_much, 100, 10_000)
    handler.response_store, handler.event_store, handler.tenants = {}, {}, {}
    handler.background_tasks = {}
    handler.use_harmony, handler.tool_server = False, None
    handler.exchange = Amending()
    return handler


def asked(**more: Any) -> ResponsesRequest:
    """A request on its way through the handler."""
    given = {"model": "m", "input": "x", "request_id": "resp_1", "asked_for_no_tools": False}
    made = ResponsesRequest(**given)
    made.asking = Asking("ann", is_kept=True, begun=SimpleNamespace(), **more)
    return made


REQUEST = asked()
ERRORS = [(VLLMValidationError("no such tool"), "no such tool"), (RuntimeError("/etc"), "its log")]


async def begin_in_background(responses: Responses, *, stream: bool = True) -> asyncio.Task[None]:
    """Begin a response in the background, as vLLM does."""
    request = asked()
    request.asking.begun, request.stream = asyncio.Future(), stream
    run = responses._run_background_request_stream if stream else responses._run_background_request
    task = asyncio.create_task(run(request))
    responses.background_tasks["resp_1"] = task
    task.add_done_callback(lambda _: responses.background_tasks.pop("resp_1"))
    await responses._begun(response(), request)
    return task


async def kept(responses: Responses) -> Any:
    return await responses.stored.get("ann", "resp_1")


async def follow(responses: Responses) -> list[Any]:
    found = await kept(responses)
    return [event async for event in responses.followed(found, None)]


def events_of(monkeypatch: pytest.MonkeyPatch, *steps: Any) -> None:
    """Let vLLM's own stream yield these events, and raise the last where it is an error."""

    async def stream(self: Any, *_: Any, **__: Any) -> AsyncIterator[Any]:
        for number, step in enumerate(steps):
            if isinstance(step, Exception):
                raise step
            if isinstance(step, asyncio.Event):
                await step.wait()
            else:
                yield SimpleNamespace(type=step[0], response=step[1], sequence_number=number)

    monkeypatch.setattr(OpenAIServingResponses, "responses_stream_generator", stream)


def opening() -> tuple[str, ResponsesResponse]:
    return "response.created", response("in_progress")


@pytest.mark.parametrize(("error", "words"), ERRORS)
async def test_an_error_in_a_stream_is_its_last_event(
    error: Exception, words: str, responses: Responses, monkeypatch: pytest.MonkeyPatch
) -> None:
    events_of(monkeypatch, opening(), error)
    events = [event async for event in responses.responses_stream_generator(REQUEST)]
    assert [event.type for event in events] == ["response.created", "response.failed"]
    assert events[-1].sequence_number == 1
    assert words in events[-1].response.error["message"]
    assert (await kept(responses)).body["error"]["message"] == events[-1].response.error["message"]


@pytest.mark.parametrize("status", ["completed", "incomplete"])
async def test_a_stream_ends_with_the_event_of_its_status(
    status: str, responses: Responses, monkeypatch: pytest.MonkeyPatch
) -> None:
    events_of(monkeypatch, opening(), ("response.completed", response(status)))
    events = [event async for event in responses.responses_stream_generator(REQUEST)]
    assert events[-1].type == f"response.{status}"
    assert events[-1].response.status == status


@pytest.mark.parametrize(("error", "words"), ERRORS)
async def test_what_fails_in_the_background_is_kept_as_failed(
    error: Exception, words: str, responses: Responses, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: Any, request: Any) -> None:
        raise error

    monkeypatch.setattr(OpenAIServingResponses, "responses_full_generator", fail)
    await (await begin_in_background(responses, stream=False))
    body = (await kept(responses)).body
    assert body["status"] == "failed"
    assert words in body["error"]["message"]
    assert body["amended"]
    assert responses.in_background() == []


async def test_whoever_follows_one_that_failed_before_it_began_comes_to_an_end(
    responses: Responses, monkeypatch: pytest.MonkeyPatch
) -> None:
    events_of(monkeypatch, RuntimeError("the tools are down"))
    await begin_in_background(responses)
    events = await follow(responses)
    assert [event.type for event in events] == ["response.failed"]
    assert (await kept(responses)).status == "failed"


async def test_whoever_follows_one_that_is_cancelled_comes_to_an_end(
    responses: Responses, monkeypatch: pytest.MonkeyPatch
) -> None:
    events_of(monkeypatch, opening(), asyncio.Event())
    await begin_in_background(responses)
    followers = [asyncio.create_task(follow(responses)) for _ in range(2)]
    await asyncio.sleep(0.1)
    await responses.stored.cancel("ann", "resp_1")
    await responses.end("resp_1")
    for events in await asyncio.gather(*followers):
        assert [event.type for event in events] == ["response.created", "response.incomplete"]
        assert events[-1].response["status"] == "cancelled"


async def test_whoever_asked_for_the_events_of_one_that_is_cancelled_comes_to_an_end(
    responses: Responses, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def create(self: Any, request: Any, raw_request: Any) -> Any:
        self.response_store["resp_1"] = response("queued")
        task = asyncio.create_task(self._run_background_request_stream(request))
        self.background_tasks["resp_1"] = task
        return self.responses_background_stream_generator("resp_1")

    monkeypatch.setattr(OpenAIServingResponses, "create_responses", create)
    events_of(monkeypatch, opening(), asyncio.Event())
    request = asked()
    request.asking.begun, request.background, request.stream = asyncio.Future(), True, True
    events = await responses._created(request, None)
    assert (await anext(events)).type == "response.created"
    await responses.stored.cancel("ann", "resp_1")
    await responses.end("resp_1")
    (ending,) = [event async for event in events]
    assert (ending.type, ending.response["status"]) == ("response.incomplete", "cancelled")


async def test_one_that_is_cancelled_through_another_server_ends_here(
    responses: Responses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.gateway.responses.HOLD_EVERY_S", 0.01)
    events_of(monkeypatch, opening(), asyncio.Event())
    task = await begin_in_background(responses)
    await asyncio.sleep(0.1)
    assert (await kept(responses)).status == "in_progress"
    await responses.stored.cancel("ann", "resp_1")
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()
    assert (await kept(responses)).status == "cancelled"


async def test_one_that_another_server_makes_is_followed_to_its_end(
    responses: Responses, store: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.gateway.responses.LOOK_EVERY_S", 0.01)
    begun = asked().asking.written(shown(response(), asked()))
    store.responses.begin(begun)
    following = asyncio.create_task(follow(responses))
    await asyncio.sleep(0.05)
    store.responses.finish(asked().asking.written(shown(response("completed"), asked())))
    (event,) = await following
    assert (event.type, event.response["status"]) == ("response.completed", "completed")


async def test_one_that_nobody_makes_any_more_has_failed_and_says_why(
    responses: Responses, store: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory.history.responses.HELD_S", 1.0)
    store.responses.begin(asked().asking.written(shown(response(), asked())))
    assert (await kept(responses)).status == "queued"
    await asyncio.sleep(1.1)
    found = await kept(responses)
    assert (found.status, found.body["status"]) == ("failed", "failed")
    assert found.body["error"] == {"code": "server_error", "message": LOST}
    assert store.responses.get("ann", "resp_1").status == "failed"


async def test_what_cannot_be_stored_does_not_begin_in_the_background(
    responses: Responses, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(new: Any) -> None:
        raise StorageUnavailableError("the disk is full")

    monkeypatch.setattr(responses.stored, "begin", full)
    request = asked()
    request.asking.begun, request.background = asyncio.Future(), True

    async def create(self: Any, request: Any, raw_request: Any) -> Any:
        self.response_store["resp_1"] = made = response("queued")
        self.made = asyncio.create_task(self._run_background_request(request))
        return made

    monkeypatch.setattr(OpenAIServingResponses, "create_responses", create)
    with pytest.raises(StorageUnavailableError):
        await responses._created(request, None)
    await responses.made
    assert responses.response_store == {}
    assert responses.in_background() == []


async def test_a_whole_response_is_amended_where_it_is_kept_and_where_it_is_returned(
    responses: Responses, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def make(self: Any, request: Any) -> Any:
        return response("completed")

    monkeypatch.setattr(OpenAIServingResponses, "responses_full_generator", make)
    returned = await responses.responses_full_generator(REQUEST)
    assert returned.amended
    assert (await kept(responses)).body == returned.model_dump(mode="json", by_alias=True)


def said(status: str) -> ResponsesResponse:
    output = build_response_output_items(None, "Let me see", [])
    made: ResponsesResponse = response(status).model_copy(update={"output": output})
    return made


def test_a_response_says_what_openais_does() -> None:
    given = {"safety_identifier": "s", "prompt_cache_key": "k", "top_logprobs": 2}
    request = REQUEST.model_copy(update={**given, "asking": Asking(begun=SimpleNamespace())})
    body = shown(said("completed"), request).model_dump(mode="json", by_alias=True)
    assert {key: body[key] for key in given} == given
    assert (body["error"], body["store"], body["tool_choice"]) == (None, False, "auto")
    assert body["completed_at"] >= body["created_at"]
    assert body["text"] == {"format": {"type": "text"}}
    assert body["output"][0]["content"][0]["logprobs"] == []
    assert "user" not in body
    for status in ("queued", "in_progress", "incomplete", "failed"):
        body = shown(response(status), REQUEST).model_dump(mode="json", by_alias=True)
        assert body["completed_at"] is None
        assert body["usage"]["output_tokens"] == 0


def test_a_choice_of_no_tools_is_shown_to_whoever_made_it() -> None:
    request = REQUEST.model_copy(update={"asked_for_no_tools": True})
    assert REQUEST.tool_choice == "none", "vLLM says so for all without tools"
    assert shown(response(), request).tool_choice == "none"
    assert shown(response(), REQUEST).tool_choice == "auto"


def done_with(made: Any) -> Any:
    """The event that ends the only item of `made`."""
    return ResponseOutputItemDoneEvent(
        type="response.output_item.done", output_index=0, sequence_number=0, item=made.output[0]
    )


async def test_the_end_of_an_item_is_not_lost_to_a_fault_that_follows() -> None:
    async def events() -> AsyncIterator[Any]:
        yield done_with(said("completed"))
        raise RuntimeError("lost")

    seen = with_ends(events(), REQUEST)
    assert (await anext(seen)).type == "response.output_item.done"
    with pytest.raises(RuntimeError, match="lost"):
        await anext(seen)


@pytest.mark.parametrize("status", ["completed", "incomplete"])
async def test_an_item_that_the_tokens_ran_out_in_is_incomplete_in_its_event_and_the_end(
    status: str,
) -> None:
    made = said(status)

    async def events() -> AsyncIterator[Any]:
        yield done_with(made)
        yield ResponseCompletedEvent(
            type="response.completed", sequence_number=1, response=shown(made, REQUEST)
        )

    seen = [event.model_dump(mode="json") async for event in with_ends(events(), REQUEST)]
    done, ending = seen
    assert done["item"]["status"] == ending["response"]["output"][0]["status"] == status
    assert done["item"]["content"][0]["logprobs"] == []
    assert ending["type"] == f"response.{status}"


@pytest.mark.parametrize(
    ("given", "choice"),
    [({}, "auto"), ({"tool_choice": "none"}, "none"), ({"tool_choice": "auto"}, "auto")],
)
async def test_a_queued_response_shows_the_choice_of_tools_that_was_asked_for(
    given: dict[str, Any], choice: str, responses: Responses, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def create(self: Any, request: Any, raw_request: Any) -> Any:
        self.response_store["resp_1"] = made = response("queued")
        raw_request.state.request_metadata = SimpleNamespace(request_id="resp_1")
        return made

    monkeypatch.setattr(OpenAIServingResponses, "create_responses", create)
    responses.engine_client = None
    body = {"model": "m", "input": "x", **given}
    arrival = Arrival(body, take_context(RESPONSES, body, Settings(), "default"))
    scope = {ARRIVAL: arrival, PRINCIPAL: OPERATOR, "state": {}}
    raw = SimpleNamespace(scope=scope, state=SimpleNamespace())
    made = await responses.create_responses(REQUEST.model_copy(), raw)
    assert made.tool_choice == choice
    stored = await responses.stored.get("default", "resp_1")
    assert stored.body["tool_choice"] == choice
    assert arrival.headers["x-whet-completion-id"] == "resp_1"


class Renderer:
    """Renders a prompt as far as vLLM's does before its chat template."""

    async def render_responses(
        self,
        request: Any,
        *,
        previous_messages: Any = None,
        previous_response_outputs: Any = None,
        tool_server: Any = None,
        skip_mm_cache: bool = False,
    ) -> Any:
        return construct_input_messages(
            request_instructions=request.instructions,
            request_input=request.input,
            prev_msg=previous_messages,
            prev_response_output=previous_response_outputs,
        )


@pytest.mark.parametrize("words", [None, "Let me see."])
async def test_a_call_of_a_stored_response_stays_before_its_result(
    words: str | None, responses: Responses
) -> None:
    responses.online_renderer = Renderer()
    call = FunctionCall(id="call_1", name="get_weather", arguments='{"city": "Paris"}')
    made = response("completed").model_copy(
        update={"output": build_response_output_items("Hm", words, [call])}
    )
    question = "What is the weather in Paris?"
    first = asked(asked=[{"role": "user", "content": question}])
    await responses._kept(shown(made, first), first)
    before = await responses.stored.recall("ann", "resp_1", None)
    result = {"type": "function_call_output", "call_id": "call_1", "output": "18 degrees"}
    request = asked(earlier=Earlier(before, "resp_1"))
    request.input = [result]
    user, said, told = await responses._render_resolved_response_inputs(request, None)
    assert (user["role"], user["content"][0]["text"]) == ("user", question)
    assert (said["role"], said.get("content")) == ("assistant", words)
    (made,) = said["tool_calls"]
    assert (made["id"], made["function"]["name"]) == ("call_1", "get_weather")
    assert (told["role"], told["tool_call_id"], told["content"]) == ("tool", "call_1", "18 degrees")


@pytest.mark.parametrize("kind", ["web_search", "web_search_preview", "mcp"])
async def test_a_tool_that_the_model_would_never_see_is_refused(
    kind: str, responses: Responses, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def create(self: Any, request: Any, raw_request: Any = None) -> Any:
        return "made"

    monkeypatch.setattr(OpenAIServingResponses, "create_responses", create)
    tools = [SimpleNamespace(type="function"), SimpleNamespace(type=kind)]
    request = REQUEST.model_copy(update={"tools": tools})
    with pytest.raises(VLLMValidationError, match=kind) as caught:
        await responses.create_responses(request)
    assert caught.value.parameter == "tools"
    assert (
        await responses.create_responses(REQUEST.model_copy(update={"tools": tools[:1]})) == "made"
    )
    responses.tool_server = object()
    if kind != "web_search":
        assert await responses.create_responses(request) == "made"

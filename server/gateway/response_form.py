"""Responses and their events as clients read them: in OpenAI's form, and ended as they ended.

vLLM's models write a null for whatever they lack, and call each item complete before they know
whether the tokens ran out.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer
from vllm.entrypoints.openai.responses.protocol import ResponsesResponse

from server.requests.openai_form import conform_item, conform_part, conform_response

ENDS = {"completed": "response.completed", "failed": "response.failed"}
"""By the status of a response, the event that ends its stream; else `response.incomplete`."""
VLLM_ENDS = ("response.completed", "response.incomplete")
"""How vLLM ends a stream: up to 0.32 as completed, whatever the status."""
CONFORM = {"item": conform_item, "part": conform_part}
"""By the key of an event, what brings its value to OpenAI's form."""


class Shown(ResponsesResponse):  # type: ignore[misc]
    """A response that is written in OpenAI's form."""

    @model_serializer(mode="wrap")
    def _conforming(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        body: dict[str, Any] = write(self)
        conform_response(body)
        return body


class Event(BaseModel):
    """An event; its parts are written by what they are, not by what vLLM declares them to be."""

    model_config = ConfigDict(extra="allow")

    type: str
    sequence_number: int


class LastEvent(Event):
    """The last event of a stream, whatever it came to."""


def shown(response: Any, request: Any) -> Shown:
    """Return one of vLLM's responses with what its request says and vLLM does not repeat."""
    asking = request.asking
    in_conversation = asking.earlier.conversation_id
    parts = {
        "error": None,
        **dict(response),
        "completed_at": int(time.time()) if response.status == "completed" else None,
        "store": asking.is_kept,
        "previous_response_id": asking.earlier.previous_id,
        "conversation": None if in_conversation is None else {"id": in_conversation},
        "safety_identifier": getattr(request, "safety_identifier", None),
        "prompt_cache_key": request.prompt_cache_key,
        "top_logprobs": request.top_logprobs or 0,
    }
    if not request.tools and not request.asked_for_no_tools:
        parts["tool_choice"] = "auto"
    if response.status == "incomplete" and response.output:
        *whole, last = response.output
        parts["output"] = [*whole, _cut_short(last)]
    made: Shown = Shown.model_construct(**parts)
    return made


def ends_with(response: Any, number: int) -> LastEvent:
    """Return the event that ends a stream with `response`, or with the body of a stored one."""
    status = response["status"] if isinstance(response, Mapping) else response.status
    kind = ENDS.get(status, "response.incomplete")
    last: LastEvent = _with_response(LastEvent, kind, number, response)
    return last


def _with_response(form: type[Event], kind: str, number: int, response: Any) -> Any:
    return form.model_validate({"type": kind, "sequence_number": number, "response": response})


async def with_ends(events: AsyncIterator[Any], request: Any) -> AsyncGenerator[Any, None]:
    """Yield vLLM's events in OpenAI's form."""
    async for event in _ended(events):
        if event.type in VLLM_ENDS:
            yield ends_with(event.response, event.sequence_number)
        elif hasattr(event, "response"):
            yield _with_response(
                Event, event.type, event.sequence_number, shown(event.response, request)
            )
        else:
            yield _conforming(event)


async def _ended(events: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
    """Yield `events`; what follows the end of an item tells whether the item was cut short."""
    held: Any = None
    try:
        async for event in events:
            if held is not None:
                yield _as_it_ended(held, event)
            held = event if event.type == "response.output_item.done" else None
            if held is None:
                yield event
    except Exception:
        if held is not None:
            yield held
        raise
    if held is not None:
        yield held


def _conforming(event: Any) -> Any:
    key = next((key for key in CONFORM if getattr(event, key, None) is not None), None)
    if key is None:
        return event
    body = event.model_dump(mode="json", by_alias=True)
    CONFORM[key](body[key])
    return Event.model_validate(body)


def _as_it_ended(event: Any, following: Any) -> Any:
    ended = getattr(following, "response", None)
    if ended is None or ended.status != "incomplete":
        return event
    return event.model_copy(update={"item": _cut_short(event.item)})


def _cut_short(item: Any) -> Any:
    """Return the last item as incomplete: that is where the tokens ran out."""
    if getattr(item, "status", None) is None:
        return item
    return item.model_copy(update={"status": "incomplete"})

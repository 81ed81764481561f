"""An item becomes a request, and the answer a sample: what graders name, and what is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adaptation.grading import judge
from adaptation.grading.errors import Fault, GradingError
from adaptation.grading.outcome import Usage, sample_of
from adaptation.grading.templates import value_at
from server.evals.asking import Door, RefusedError
from server.evals.specs import Completions, Responses, Template
from server.requests.request_context import CHAT, RESPONSES

AS_A_TEST = {"memory": {"write": False, "reuse": False}}
"""What is asked to be graded teaches nothing, and a record of the same question does not answer it:
that record may be the item itself.
"""
ALIKE = ("seed", "temperature", "tools", "top_p", "text")
"""What responses call as evaluations do."""
Names = Mapping[str, Any]


@dataclass(frozen=True)
class Sampled:
    """What a model said to an item."""

    names: Mapping[str, Any]
    """What graders call `sample`."""
    shown: dict[str, Any]
    """As an output item shows it."""
    usage: Sequence[Usage] = ()
    is_error: bool = False


def given(sample: Mapping[str, Any] | None) -> Sampled:
    """Return an answer that came with its item."""
    names = dict(sample or {})
    text = names.get("output_text")
    if isinstance(text, str):
        names = sample_of(text) | names
    return Sampled(names, _shown([], text if isinstance(text, str) else None))


async def sampled(source: Completions | Responses, item: Names, door: Door) -> Sampled:
    """Return what the model says to an item; what goes wrong is told in it."""
    model = source.model
    assert model is not None
    params = source.sampling_params.model_dump(exclude_none=True) if source.sampling_params else {}
    messages: list[dict[str, Any]] = []
    try:
        messages = _messages(source, item)
        if source.type == "completions":
            return await _chat(model, messages, params, door)
        return await _response(model, messages, params, door)
    except RefusedError as error:
        told = {"code": error.code, "message": str(error)}
    except GradingError as error:
        told = {"code": error.fault.value, "message": str(error)}
    shown = _shown(messages, None, model, params)
    return Sampled({}, shown | {"error": told}, is_error=True)


def _messages(source: Completions | Responses, item: Names) -> list[dict[str, Any]]:
    """Return the messages of an item, as chat takes them; raises `GradingError`."""
    names, asked = {"item": item, "sample": {}}, source.input_messages
    if isinstance(asked, Template):
        return judge.messages_of(asked.template, names)
    reference = "item.input" if asked is None else asked.item_reference
    found = value_at(reference, names)
    if not isinstance(found, list) or not found or not all(isinstance(m, dict) for m in found):
        told = f"`{reference}` is no list of messages"
        raise GradingError(Fault.INVALID_VARIABLE, told)
    return found


async def _chat(
    model: str, messages: list[dict[str, Any]], params: dict[str, Any], door: Door
) -> Sampled:
    body = {"model": model, "messages": messages, "adaptation": AS_A_TEST, **params}
    completion = await door.ask(CHAT, body)
    choice = completion["choices"][0]
    message, text = choice["message"], choice["message"].get("content") or ""
    names = sample_of(
        text,
        output_tools=message.get("tool_calls") or [],
        choices=completion["choices"],
        model=model,
    )
    usage = judge.usage_of(completion, model)
    shown = _shown(messages, text, model, params, choice.get("finish_reason"), usage)
    return Sampled(names, shown, [usage])


async def _response(
    model: str, messages: list[dict[str, Any]], params: dict[str, Any], door: Door
) -> Sampled:
    most, effort = params.get("max_completion_tokens"), params.get("reasoning_effort")
    more = {
        k: v for k, v in params.items() if k in ("seed", "temperature", "tools", "top_p", "text")
    }
    body = {
        "model": model,
        "input": [_as_input(message) for message in messages],
        "store": False,
        "adaptation": AS_A_TEST,
        **more,
        **({"max_output_tokens": most} if most else {}),
        **({"reasoning": {"effort": effort}} if effort else {}),
    }
    response = await door.ask(RESPONSES, body)
    text, calls = _said(response.get("output") or [])
    told = response.get("usage") or {}
    cached = (told.get("input_tokens_details") or {}).get("cached_tokens") or 0
    usage = Usage(model, told.get("input_tokens") or 0, told.get("output_tokens") or 0, cached)
    finish = "stop" if response.get("status") == "completed" else "length"
    names = sample_of(text, output_tools=calls, model=model)
    shown = _shown(messages, text, model, params, finish, usage)
    return Sampled(names, shown, [usage])


def _as_input(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message of a chat as responses take it."""
    content = message.get("content")
    if not isinstance(content, list):
        return dict(message)
    said = "output_text" if message.get("role") == "assistant" else "input_text"
    return {**message, "content": [_as_part(part, said) for part in content]}


def _as_part(part: Any, said: str) -> Any:
    if not isinstance(part, dict):
        return part
    if part.get("type") == "text":
        return {"type": said, "text": part.get("text")}
    image = part.get("image_url") or {}
    if part.get("type") == "image_url" and isinstance(image, dict):
        return {"type": "input_image", "image_url": image.get("url"), "detail": "auto", **image}
    return part


def _said(output: Sequence[Mapping[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """Return the text of a response, and its calls as chat has them."""
    texts, calls = [], []
    for part in output:
        if part.get("type") == "message":
            texts += [each.get("text") or "" for each in part.get("content") or []]
        elif part.get("type") == "function_call":
            function = {"name": part.get("name"), "arguments": part.get("arguments")}
            calls.append({"id": part.get("call_id"), "type": "function", "function": function})
    return "".join(texts), calls


def _shown(
    messages: Sequence[Mapping[str, Any]],
    text: str | None,
    model: str | None = None,
    params: Mapping[str, Any] | None = None,
    finish_reason: str | None = None,
    usage: Usage | None = None,
) -> dict[str, Any]:
    params = params or {}
    return {
        "input": [{"role": m.get("role"), "content": _plain(m.get("content"))} for m in messages],
        "output": [] if text is None else [{"role": "assistant", "content": text}],
        "finish_reason": finish_reason,
        "model": model,
        "usage": None if usage is None else usage_object(usage),
        "error": None,
        "temperature": params.get("temperature"),
        "max_completion_tokens": params.get("max_completion_tokens"),
        "top_p": params.get("top_p"),
        "seed": params.get("seed"),
    }


def usage_object(usage: Usage) -> dict[str, Any]:
    """Return what was used as OpenAI shows it."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "cached_tokens": usage.cached_tokens,
    }


def _plain(content: Any) -> str:
    if isinstance(content, list):
        texts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else ""

"""Graders that ask a model: `score_model` and `label_model`.

The model may only answer in a JSON schema, and what it answers is believed only where it fits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from adaptation.grading.errors import Fault, GradingError
from adaptation.grading.outcome import Usage
from adaptation.grading.specs import InputMessage, LabelModel, Part, SamplingParams, ScoreModel
from adaptation.grading.templates import render

MOST_TOKENS = 1024
"""Most tokens of a reply, where the grader does not say."""
Names = Mapping[str, Any]
Chat = dict[str, Any]


class Asking(Protocol):
    """Answers OpenAI's requests; raises `GradingError` where it does not."""

    async def chat(self, body: Chat) -> Chat:
        """Return a chat completion."""
        ...

    async def embeddings(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Return a vector for each text."""
        ...


async def score(grader: ScoreModel, names: Names, ask: Asking) -> tuple[float, Chat]:
    """Return the number that a model gives, and its completion; raises `GradingError`."""
    schema = {"type": "number"}
    completion = await ask.chat(_body(grader, names, schema, grader.sampling_params))
    value, (low, high) = _result(completion), grader.range
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= high:
        told = f"{value!r} is no number from {low:g} to {high:g}"
        raise GradingError(Fault.MODEL_PARSE, f"the grading model answered wrongly: {told}")
    return float(value), completion


async def label(grader: LabelModel, names: Names, ask: Asking) -> tuple[str, Chat]:
    """Return the label that a model chooses, and its completion; raises `GradingError`."""
    schema = {"type": "string", "enum": [*grader.labels]}
    completion = await ask.chat(_body(grader, names, schema, None))
    value = _result(completion)
    if value not in grader.labels:
        told = f"{str(value)[:100]!r} is none of the labels"
        raise GradingError(Fault.MODEL_PARSE, f"the grading model answered wrongly: {told}")
    return str(value), completion


def usage_of(completion: Mapping[str, Any], model: str) -> Usage:
    """Return what a completion took."""
    told = completion.get("usage") or {}
    details = told.get("prompt_tokens_details") or {}
    return Usage(
        model,
        int(told.get("prompt_tokens") or 0),
        int(told.get("completion_tokens") or 0),
        int(details.get("cached_tokens") or 0),
    )


def messages_of(messages: Sequence[InputMessage], names: Names) -> list[dict[str, Any]]:
    """Return the messages as chat takes them, filled in; raises `GradingError`."""
    return [{"role": each.role, "content": _content(each.content, names)} for each in messages]


def _body(
    grader: ScoreModel | LabelModel,
    names: Names,
    schema: Mapping[str, Any],
    sampling: SamplingParams | None,
) -> Chat:
    reply = {
        "type": "object",
        "properties": {"result": schema},
        "required": ["result"],
        "additionalProperties": False,
    }
    given = sampling.model_dump(exclude_none=True) if sampling else {}
    most = given.pop("max_completions_tokens", MOST_TOKENS)
    body = {
        "model": grader.model,
        "messages": messages_of(grader.input, names),
        "temperature": 0.0,
        "max_completion_tokens": most,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "grade", "schema": reply, "strict": True},
        },
        **given,
    }
    is_free = ":" not in grader.model  # a strategy may stand there
    memory = {"read": False, "write": False, "reuse": False}
    return body | {"adaptation": {"memory": memory, **({"strategy": "plain"} if is_free else {})}}


def _result(completion: Mapping[str, Any]) -> Any:
    """Return what the reply says the result is; raises `GradingError`."""
    try:
        choice = completion["choices"][0]
        text, refusal = choice["message"].get("content"), choice["message"].get("refusal")
    except (KeyError, IndexError, TypeError) as error:
        raise GradingError(Fault.MODEL_SERVER, "the grading model's reply has no choice") from error
    if refusal:
        raise GradingError(Fault.MODEL_REFUSAL, f"the grading model refused: {refusal[:200]}")
    try:
        reply = json.loads(text or "")
    except (ValueError, RecursionError) as error:
        cut = ", for it was cut off" if choice.get("finish_reason") == "length" else ""
        told = f"the grading model's reply is no JSON{cut}: {str(text)[:100]!r}"
        raise GradingError(Fault.MODEL_PARSE, told) from error
    if not isinstance(reply, dict) or set(reply) != {"result"}:
        told = f"the grading model's reply has no `result` alone: {str(text)[:100]!r}"
        raise GradingError(Fault.MODEL_PARSE, told)
    return reply["result"]


def _content(content: Any, names: Names) -> Any:
    if isinstance(content, str):
        return render(content, names)
    parts = content if isinstance(content, tuple) else (content,)
    return [_part(part, names) for part in parts]


def _part(part: str | Part, names: Names) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": render(part, names)}
    if part.type == "input_image":
        detail = {"detail": part.detail} if part.detail else {}
        url = render(part.image_url or "", names)
        return {"type": "image_url", "image_url": {"url": url, **detail}}
    if part.type == "input_audio":
        return {"type": "input_audio", "input_audio": part.input_audio}
    return {"type": "text", "text": render(part.text or "", names)}

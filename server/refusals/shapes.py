"""What vLLM walks before it looks at its type, and would fail on far from the field that is wrong.

Knows of the shape only; what the values mean is vLLM's to judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from server.refusals.errors import ApiError
from server.requests.metadata import MOST, MOST_KEY, MOST_VALUE
from server.requests.request_context import CHAT, COMPLETIONS, RESPONSES
from server.requests.response_items import refuse_shapeless_items

OBJECTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        CHAT: ("structured_outputs", "vllm_xargs"),
        COMPLETIONS: ("structured_outputs", "vllm_xargs"),
        RESPONSES: ("structured_outputs", "vllm_xargs"),
    }
)
LISTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {CHAT: ("messages", "tools"), RESPONSES: ("tools",)}
)
"""By route: objects, and lists of objects."""
NOTED = (CHAT, COMPLETIONS, RESPONSES)
"""Routes whose requests may bear notes of the client's: `metadata`."""
UNREAD: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("safety_identifier", "prompt_cache_key", "user"), "a string"),
        **dict.fromkeys(("service_tier", "verbosity", "prompt_cache_retention"), "a string"),
        "store": "true or false",
        "prediction": "an object",
    }
)
"""OpenAI's keys that vLLM does not look at, and what they hold."""
WHOLE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "": (
            *("max_tokens", "max_completion_tokens", "max_output_tokens", "min_tokens"),
            *("n", "best_of", "seed", "top_k", "top_logprobs", "prompt_logprobs"),
            *("truncate_prompt_tokens", "thinking_token_budget", "max_tool_calls"),
            *("priority", "stream_interval"),
        ),
        COMPLETIONS: ("logprobs",),
    }
)
"""Keys of whole numbers: on every route, and on one alone."""
FRACTIONS = (
    *("temperature", "top_p", "min_p", "length_penalty"),
    *("presence_penalty", "frequency_penalty", "repetition_penalty"),
)
"""Keys of other numbers."""
MOST_BIAS = 100
"""OpenAI's bound on what `logit_bias` adds; vLLM takes more for this without a word."""
TYPES = MappingProxyType({"a string": str, "true or false": bool, "an object": dict})
MOST_LOGPROBS = 20
"""OpenAI's bound, which vLLM checks only where they are asked for."""


def refuse_shapeless(path: str, body: Mapping[str, Any]) -> None:
    """Refuse what is not of the shape that it is walked in; raises `ApiError` (400)."""
    for param in OBJECTS.get(path, ()):
        if not isinstance(body.get(param), dict | None):
            raise _refused(param, "must be an object")
    for param in LISTS.get(path, ()):
        _refuse_other_lists(param, body.get(param))
    _refuse_other_than_numbers(path, body)
    _refuse_other_biases(body.get("logit_bias"))
    if path in NOTED:
        _refuse_unread(body)
        _refuse_shapeless_notes(body.get("metadata"))
    if path == CHAT:
        _refuse_shapeless_chat(body)
    elif path == RESPONSES:
        _refuse_shapeless_response(body)


def _refuse_other_lists(param: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, list):
        raise _refused(param, "must be a list of objects")
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise _refused(f"{param}.{index}", "must be an object")


def _refuse_other_than_numbers(path: str, body: Mapping[str, Any]) -> None:
    """vLLM takes what only reads like a number, such as "10" or true, and not all keys are read."""
    for param in (*WHOLE[""], *WHOLE.get(path, ())):
        value = body.get(param)
        if isinstance(value, float) and not value.is_integer():
            raise _refused(param, f"must be a whole number, not {value}")
        _refuse_like_a_number(param, value, "a whole number")
    for param in FRACTIONS:
        _refuse_like_a_number(param, body.get(param), "a number")


def _refuse_like_a_number(param: str, value: object, kind: str) -> None:
    if isinstance(value, str | bool):
        given = "a string" if isinstance(value, str) else "true or false"
        raise _refused(param, f"must be {kind}, not {given}")


def _refuse_other_biases(biases: object) -> None:
    for token, bias in biases.items() if isinstance(biases, dict) else ():
        is_number = isinstance(bias, int | float) and not isinstance(bias, bool)
        if not (is_number and abs(bias) <= MOST_BIAS):
            words = f"must be a number from -{MOST_BIAS} to {MOST_BIAS}"
            raise _refused(f"logit_bias.{token}", words)


def _refuse_unread(body: Mapping[str, Any]) -> None:
    for param, kind in UNREAD.items():
        if not isinstance(body.get(param), TYPES[kind] | None):
            raise _refused(param, f"must be {kind}")


def _refuse_shapeless_notes(notes: object) -> None:
    """A note of null is let through: some clients write one for what they do not know."""
    if notes is None:
        return
    if not isinstance(notes, dict):
        raise _refused("metadata", "must be an object")
    if len(notes) > MOST:
        raise _refused("metadata", f"takes at most {MOST} entries")
    for key, value in notes.items():
        if len(key) > MOST_KEY:
            raise _refused("metadata", f"takes keys of at most {MOST_KEY} characters")
        if not isinstance(value, str | None):
            raise _refused(f"metadata.{key}", "must be a string")
        if value is not None and len(value) > MOST_VALUE:
            raise _refused(f"metadata.{key}", f"must have at most {MOST_VALUE} characters")


def _refuse_shapeless_chat(body: Mapping[str, Any]) -> None:
    for name, call in _tool_calls(body.get("messages") or ()):
        _refuse_shapeless_call(name, call)
    if isinstance(body.get("tool_choice"), dict):
        for place, tool in enumerate(body.get("tools") or ()):
            _refuse_shapeless_tool(f"tools.{place}", tool)
    if _is_below(body.get("max_completion_tokens"), 1):
        raise _refused("max_completion_tokens", "must be at least 1")
    _refuse_missing_schema(body.get("response_format"))


def _tool_calls(messages: Any) -> Iterator[tuple[str, Any]]:
    for place, message in enumerate(messages):
        calls = message.get("tool_calls")
        name = f"messages.{place}.tool_calls"
        if not isinstance(calls, list | None):
            raise _refused(name, "must be a list of objects")
        yield from ((f"{name}.{index}", call) for index, call in enumerate(calls or ()))


def _refuse_shapeless_call(name: str, call: Any) -> None:
    """vLLM tells of a call by its place among the calls, not among the messages."""
    if not isinstance(call, dict):
        raise _refused(name, "must be an object")
    if not isinstance(call.get("id"), str):
        raise _refused(f"{name}.id", "must be a string")
    if call.get("type") != "function":
        raise _refused(f"{name}.type", 'must be "function"')
    function = call.get("function")
    if not isinstance(function, dict):
        raise _refused(f"{name}.function", "must be an object")
    for key in ("name", "arguments"):
        if not isinstance(function.get(key), str):
            raise _refused(f"{name}.function.{key}", "must be a string")


def _refuse_shapeless_tool(name: str, tool: dict[str, Any]) -> None:
    """vLLM reads every tool's name where `tool_choice` names one."""
    if tool.get("type", "function") != "function":
        raise _refused(f"{name}.type", 'must be "function"')
    if not isinstance(tool.get("function"), dict):
        raise _refused(f"{name}.function", "must be an object")
    if not isinstance(tool["function"].get("name"), str):
        raise _refused(f"{name}.function.name", "must be a string")


def _refuse_missing_schema(form: object) -> None:
    if not isinstance(form, dict) or form.get("type") != "json_schema":
        return
    asked = form.get("json_schema")
    if isinstance(asked, dict) and asked.get("schema") is None:
        raise _refused("response_format.json_schema.schema", "is required")


def _refuse_shapeless_response(body: Mapping[str, Any]) -> None:
    if isinstance(body.get("input"), dict):
        raise _refused("input", "must be a text or a list of items")
    refuse_shapeless_items(body.get("input"))
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and not isinstance(choice.get("name"), str | None):
        raise _refused("tool_choice.name", "must be a string")
    shown = body.get("top_logprobs")
    if _is_below(shown, 0) or (isinstance(shown, int) and shown > MOST_LOGPROBS):
        raise _refused("top_logprobs", f"must be from 0 to {MOST_LOGPROBS}")


def _is_below(value: object, least: int) -> bool:
    return isinstance(value, int | float) and value < least


def _refused(name: str, what: str) -> ApiError:
    return ApiError(400, f"`{name}` {what}", param=name)

"""The turns of an imported conversation, in OpenAI's words or in ShareGPT's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from memory.errors import InvalidImportError
from memory.lines.calls import in_order
from memory.types import Message

MAX_MESSAGES = 256
ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
KEYS = frozenset(
    {"role", "content", "name", "weight", "tool_calls", "tool_call_id", "reasoning"}
    | {"function_call"}
)
SPEAKERS: Mapping[str, str] = MappingProxyType(
    {
        "human": "user",
        "user": "user",
        "gpt": "assistant",
        "assistant": "assistant",
        "chatgpt": "assistant",
        "system": "system",
        "tool": "tool",
        "observation": "tool",
    }
)
"""ShareGPT's, by role."""
CALLERS = frozenset({"function_call", "tool_call"})
"""ShareGPT's, whose turn is a call as JSON, or a list of them."""


def read_turns(value: Any) -> tuple[Message, ...]:
    """Return messages as they stand in a file; raises InvalidImportError."""
    return tuple(_turn(item) for item in _listed(value, "messages"))


def read_learned(value: Any) -> tuple[Message, ...]:
    """Return a conversation up to the turn to learn: the last of the assistant's with weight.

    OpenAI's files mark turns that are context alone with `"weight": 0`.
    """
    items = _listed(value, "messages")
    turns = tuple(_turn(item) for item in items)
    weights = [_weight(item) for item in items]
    if turns[-1].role != "assistant":
        raise InvalidImportError("the last message is not the assistant's")
    places = [i for i, turn in enumerate(turns) if turn.role == "assistant" and weights[i]]
    if not places:
        raise InvalidImportError('every turn of the assistant has "weight": 0: nothing to learn')
    return turns[: places[-1] + 1]


def read_shared(value: Any) -> tuple[Message, ...]:
    """Return ShareGPT's turns, `{"from", "value"}`."""
    return tuple(_shared(item) for item in _listed(value, "conversations"))


def refuse_unknown(fields: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    """Raise InvalidImportError for a key that nobody would read."""
    unknown = sorted(str(key) for key in fields.keys() - known)
    if unknown:
        names = ", ".join(f'"{name}"' for name in unknown[:5])
        allowed = ", ".join(sorted(known))
        lost = "which would be lost: leave it out"
        raise InvalidImportError(f"{where} has the unknown key {names}, {lost}; it takes {allowed}")


def _listed(value: Any, name: str) -> Sequence[Any]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_MESSAGES:
        raise InvalidImportError(f'"{name}" is not a list of 1 to {MAX_MESSAGES}')
    return value


def _turn(item: Any) -> Message:
    if not isinstance(item, dict):
        raise InvalidImportError("a message is not a JSON object")
    item = {key: value for key, value in item.items() if value is not None}
    refuse_unknown(item, KEYS, "a message")
    role = item.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise InvalidImportError(f"a message's role is not one of {', '.join(sorted(ROLES))}")
    calls = _calls(item.get("tool_calls"))
    if "function_call" in item:  # as OpenAI had it before there were tools
        calls = (*calls, *_calls([{"type": "function", "function": item["function_call"]}]))
    return Message(
        role="tool" if role == "function" else role,
        content=_content(item.get("content"), may_be_missing=bool(calls)),
        tool_calls=calls,
        tool_call_id=item.get("tool_call_id"),
        name=item.get("name"),
        reasoning=item.get("reasoning"),
    )


def _content(content: Any, *, may_be_missing: bool) -> str:
    if content is None and may_be_missing:
        return ""
    if isinstance(content, list):
        content = "\n".join(filter(None, map(_part, content)))  # as vLLM joins them
    if not isinstance(content, str):
        raise InvalidImportError("a message has no text content")
    return content


def _part(part: Any) -> str:
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    raise InvalidImportError("a message has a part that is not text")


def _calls(value: Any) -> tuple[Mapping[str, Any], ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(_is_call(call) for call in value):
        raise InvalidImportError('"tool_calls" are not a list of calls of functions with arguments')
    return tuple(in_order(call) for call in value)


def _is_call(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return (
        isinstance(function, dict)
        and isinstance(function.get("name"), str)
        and isinstance(function.get("arguments"), str | dict)
    )


def _weight(item: Mapping[str, Any]) -> bool:
    weight = item.get("weight")
    if weight is None:
        return True
    if isinstance(weight, bool) or weight not in (0, 1):
        raise InvalidImportError('the "weight" of a message is not 0 or 1')
    if item.get("role") != "assistant":
        raise InvalidImportError('only turns of the assistant have a "weight"')
    return bool(weight)


def _shared(item: Any) -> Message:
    if isinstance(item, dict) and "role" in item:
        return _turn(item)
    if not isinstance(item, dict) or not isinstance(item.get("value"), str):
        raise InvalidImportError('a turn is not {"from", "value"} with a text')
    given = frozenset(key for key, value in item.items() if value is not None)
    refuse_unknown({key: item[key] for key in given}, frozenset({"from", "value"}), "a turn")
    speaker = str(item.get("from"))
    if speaker in CALLERS:
        return Message(role="assistant", content="", tool_calls=_written_calls(item["value"]))
    role = SPEAKERS.get(speaker)
    if role is None:
        known = ", ".join(sorted({*SPEAKERS, *CALLERS}))
        raise InvalidImportError(f"a turn is not from one of {known}")
    return Message(role=role, content=item["value"])


def _written_calls(text: str) -> tuple[Mapping[str, Any], ...]:
    """Return the calls that a text is: one as a JSON object, or a list of them."""
    try:
        written = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidImportError(f"a turn that calls a function is not JSON: {error}") from error
    calls = written if isinstance(written, list) else [written]
    return _calls([{"type": "function", "function": call} for call in calls])

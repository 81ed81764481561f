"""What `/v1/responses` asks in words of its own, said in those of `/v1/chat/completions`.

So the same question is one question, whichever way it is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OF_TOOL = frozenset({"type"})
"""What of a tool is not its function's."""


def in_words_of_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body with its format, effort, functions and choice of them as a chat has them."""
    text, tools, reasoning = (body.get(key) for key in ("text", "tools", "reasoning"))
    said = dict(body)
    if isinstance(text, Mapping):
        said["response_format"] = _format(text.get("format"))
    if isinstance(reasoning, Mapping):
        said["reasoning_effort"] = reasoning.get("effort")
    if isinstance(tools, list):
        said["tools"] = [_function(tool) for tool in tools]
    said["tool_choice"] = _function(body.get("tool_choice"))
    return said


def _format(flat: object) -> object:
    """Return a form of the output with its schema apart; others as they are."""
    if not isinstance(flat, Mapping) or flat.get("type") != "json_schema":
        return flat
    own = {key: value for key, value in flat.items() if key != "type" and value is not None}
    return {"type": "json_schema", "json_schema": own}


def _function(flat: object) -> object:
    """Return a declared or a chosen function with what is its own apart; others as they are."""
    if not isinstance(flat, Mapping) or flat.get("type") != "function" or "function" in flat:
        return flat
    own = {key: value for key, value in flat.items() if key not in OF_TOOL and value is not None}
    return {"type": "function", "function": own}

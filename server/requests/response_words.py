"""What `/v1/responses` asks in words of its own, said in those of `/v1/chat/completions`.

So the same question is one question, whichever way it is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OF_TOOL = frozenset({"type"})
"""What of a tool is not its function's."""
OF_CHATS = ("documents", "add_generation_prompt", "continue_final_message", "add_special_tokens")
"""What has no meaning on `/v1/responses`, where vLLM looks at none of it."""
BEGUN = frozenset({"in_progress", "incomplete"})
"""What the status of the assistant's last item says where the model is to go on with it."""


def in_words_of_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body with its format, effort, functions and choice of them as a chat has them."""
    text, tools, reasoning = (body.get(key) for key in ("text", "tools", "reasoning"))
    said = {key: value for key, value in body.items() if key not in OF_CHATS}
    if isinstance(text, Mapping):
        said["response_format"] = _format(text.get("format"))
    if isinstance(reasoning, Mapping):
        said["reasoning_effort"] = reasoning.get("effort")
    if isinstance(tools, list):
        said["tools"] = [_function(tool) for tool in tools]
    said["tool_choice"] = _function(body.get("tool_choice"))
    if body.get("truncation") == "auto":
        said["truncate_prompt_tokens"] = -1
    if is_begun(body.get("input")):
        said |= {"add_generation_prompt": False, "continue_final_message": True}
    return said


def is_begun(asked: object) -> bool:
    """Whether an answer is to be gone on with: the last item is the beginning of one."""
    last = asked[-1] if isinstance(asked, list) and asked else None
    if not isinstance(last, Mapping) or last.get("type", "message") not in ("message", "reasoning"):
        return False
    return last.get("status") in BEGUN


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

"""Turns and tools as a chat template takes them: as vLLM hands them over, without vLLM.

Knows nothing of tokenizers. `chat` asks it for the arguments of a template.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from adaptation.learning.training.parts import walks_parts
from memory.types import Message

ContentFormat = Literal["auto", "string", "openai"]
"""vLLM's names: `openai` is a list of parts."""
Turn = dict[str, Any]
HIDDEN = ("custom", "namespace")
"""Types of tools that vLLM rewrites into functions for the template."""


def turns_for(source: str, messages: Sequence[Message], form: ContentFormat) -> list[Turn]:
    """Return `messages` as the template with this `source` takes them."""
    in_parts = form == "openai" or (form == "auto" and walks_parts(source))
    turns = [_turn(message, in_parts) for message in messages]
    if any(turn["role"] == "developer" for turn in turns) and not _knows_developers(source):
        return _one_system_turn(turns)
    return turns


def tools_for(tools: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]] | None:
    """Return tools in the form of chats, which those of `/v1/responses` do not have.

    Raises `ValueError` for one that is rewritten in a way that is not known here.
    """
    if tools is None:
        return None
    if hidden := [kind for kind in HIDDEN if any(tool.get("type") == kind for tool in tools)]:
        raise ValueError(f"it is not known here how tools of type {hidden[0]} are shown")
    return [_tool(tool) for tool in tools if tool.get("type", "function") == "function"]


def _turn(message: Message, in_parts: bool) -> Turn:
    """Only the assistant's turns call tools, and only those of tools answer a call."""
    content: Any = message.content
    if in_parts and message.role != "tool":
        is_silent = message.role == "assistant" and not content
        content = [] if is_silent else [{"type": "text", "text": content}]
    turn: Turn = {"role": message.role, "content": content}
    if message.role == "assistant":
        turn |= _of_assistant(message)
    elif message.role == "tool" and message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    return turn | ({"name": message.name} if message.name is not None else {})


def _of_assistant(message: Message) -> Turn:
    extra: Turn = {}
    if message.tool_calls:
        extra["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.reasoning is not None:
        extra |= {"reasoning": message.reasoning, "reasoning_content": message.reasoning}
    return extra


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call with its arguments as an object; what is none is none to vLLM either."""
    function = dict(call["function"])
    given = function.get("arguments") or {}
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            given = {}
    function["arguments"] = given if isinstance(given, dict) else {}  # keeps its place
    return {**call, "function": function}


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Return a function as vLLM writes it: what may be missing is null, or left out."""
    given = tool.get("function", tool)
    function = {key: given.get(key) for key in ("name", "description", "parameters")}
    rest = {"strict": given.get("strict"), "defer_loading": _deferred(tool)}
    function |= {key: value for key, value in rest.items() if value is not None}
    shown = {"type": "function", "function": function}
    if "function" in tool and tool.get("defer_loading") is not None:
        shown["defer_loading"] = tool["defer_loading"]
    return shown


def _deferred(tool: Mapping[str, Any]) -> Any:
    own = tool.get("function", tool).get("defer_loading")
    return tool.get("defer_loading") if own is None else own


def _knows_developers(source: str) -> bool:
    return '"developer"' in source or "'developer'" in source


def _one_system_turn(turns: Sequence[Turn]) -> list[Turn]:
    """Return developers' turns as system turns; all of those are one, and the first, if need be."""
    turns = [turn | {"role": "system"} if turn["role"] == "developer" else turn for turn in turns]
    places = [place for place, turn in enumerate(turns) if turn["role"] == "system"]
    if places == [0]:
        return list(turns)
    said = [_as_text(turns[place]["content"]) for place in places]
    system = {"role": "system", "content": "\n\n".join(text for text in said if text)}
    return [system, *(turn for turn in turns if turn["role"] != "system")]


def _as_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content)

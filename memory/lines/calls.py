"""An assistant's turn that calls tools, as the one text a record keeps, and back.

The text is in Hermes form, which is how the memory writes a call down. What comes back is the turn
with its calls apart, so that each model's own template can write them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from memory.errors import InvalidImportError
from memory.identity.answers import Answer
from memory.identity.answers.json_value import parse_json
from memory.identity.answers.options import AnswerOptions
from memory.identity.answers.tool_call import called, extract_tool
from memory.types import Message

OPEN, CLOSE = "<tool_call>\n", "\n</tool_call>"
_CALL = re.compile(rf"{OPEN.strip()}(.*?)(?:{CLOSE.strip()}|\Z)", re.DOTALL)
_TOOL = AnswerOptions(kind="tool")


def in_order(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call of a chat with the keys it is known by, in the order that vLLM puts them.

    A template may show a call as it stands.
    """
    given = call.get("function")
    function = given if isinstance(given, Mapping) else {}
    shown = {key: function[key] for key in ("arguments", "name") if key in function}
    made = {"id": call.get("id"), "function": shown, "type": call.get("type", "function")}
    return {key: value for key, value in made.items() if value is not None}


def as_text(content: str, calls: Sequence[Mapping[str, Any]]) -> str:
    """Return what is said before the calls, and each call in a block of its own."""
    return "\n".join([*filter(None, [content]), *map(_block, calls)])


def turn_of(text: str) -> Message:
    """Return the assistant's turn that `text` stands for; calls only where they read back alike."""
    said = Message(role="assistant", content=text)
    content, *blocks = text.split(OPEN)
    if not blocks:
        return said
    try:
        calls = tuple(_call(block) for block in blocks)
        turn = Message(role="assistant", content=content.removesuffix("\n"), tool_calls=calls)
        return turn if as_text(turn.content, calls) == text else said
    except (ValueError, KeyError, TypeError, RecursionError, InvalidImportError):
        return said


def calls_in(text: str) -> Answer | None:
    """Return what a text calls, by value: in Hermes form, or as JSON and nothing else."""
    written = _CALL.findall(text)
    if not written:
        return extract_tool(text, _TOOL)
    return called([parse_json(call) for call in written])


def _block(call: Mapping[str, Any]) -> str:
    function = call["function"]
    shown = {"name": function["name"], "arguments": _object(function["arguments"])}
    return f"{OPEN}{json.dumps(shown, ensure_ascii=False)}{CLOSE}"


def _object(arguments: Any) -> dict[str, Any]:
    """Return arguments, which OpenAI writes as a text, as an object."""
    try:
        value = json.loads(arguments or "{}") if isinstance(arguments, str) else arguments
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidImportError("the arguments of a call are not a JSON object")
    return value


def _call(block: str) -> dict[str, Any]:
    shown = json.loads(block.removesuffix("\n").removesuffix(CLOSE))
    function = {"name": shown["name"], "arguments": shown["arguments"]}
    return {"type": "function", "function": function}

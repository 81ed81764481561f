"""What responses and conversations hold, as OpenAI lists it: each item with an id, and whole."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from memory.history.items import Item
from memory.text import trace
from server.requests.conversations import text_of

MESSAGE = "message"
PREFIXES: Mapping[str, str] = MappingProxyType(
    {
        MESSAGE: "msg",
        "reasoning": "rs",
        "function_call": "fc",
        "function_call_output": "fco",
        "custom_tool_call": "ctc",
        "custom_tool_call_output": "ctco",
    }
)
"""How the ids of items begin, by their type; others with `item`."""
COMPLETED = frozenset({MESSAGE, "function_call", "function_call_output", "custom_tool_call_output"})
"""Types of items that have a status."""
SAID = frozenset({MESSAGE, "function_call", "custom_tool_call"})
"""Types of the items of an answer that belong to what is said next; its thoughts do not."""


def kept_items(given: Any) -> tuple[Item, ...]:
    """Return the input of a response, or the items of a conversation, as they are kept."""
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    return tuple(_kept(_whole(item)) for item in items)


def said_items(body: Mapping[str, Any]) -> tuple[Item, ...]:
    """Return what a response says, as its conversation keeps it."""
    return tuple(_kept(_whole(item)) for item in body.get("output", ()))


def _kept(content: dict[str, Any]) -> Item:
    text = text_of(content)
    return Item(content["id"], content, trace(text) if text.strip() else None)


def _whole(fields: Mapping[str, Any]) -> dict[str, Any]:
    kind = fields.get("type") or MESSAGE
    given = {key: value for key, value in fields.items() if value is not None}
    whole = {"id": f"{PREFIXES.get(kind, 'item')}_{uuid4().hex}"}
    if kind in COMPLETED:
        whole["status"] = "completed"
    whole |= given | {"type": kind}
    return whole | _spoken(given) if kind == MESSAGE else whole


def _spoken(fields: Mapping[str, Any]) -> dict[str, Any]:
    role, content = fields.get("role", "user"), fields.get("content", "")
    if isinstance(content, str):
        spoken = "output_text" if role == "assistant" else "input_text"
        part = {"type": spoken, "text": content}
        content = [part | ({"annotations": []} if role == "assistant" else {})]
    return {"role": role, "content": content}

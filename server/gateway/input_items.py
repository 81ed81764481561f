"""What a stored response was asked, as OpenAI lists it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

MESSAGE = "message"


def input_items(given: Any) -> list[dict[str, Any]]:
    """Return the input of a response as items, each with an id and in its whole form."""
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    return [_item(item) for item in items]


def _item(item: Any) -> dict[str, Any]:
    fields = dict(item) if isinstance(item, Mapping) else item.model_dump(exclude_none=True)
    kind = fields.get("type") or MESSAGE
    if kind != MESSAGE:
        return {"id": f"item_{uuid4().hex}", **fields}
    role, content = fields.get("role", "user"), fields.get("content", "")
    if isinstance(content, str):
        spoken = "output_text" if role == "assistant" else "input_text"
        part = {"type": spoken, "text": content}
        content = [part | ({"annotations": []} if role == "assistant" else {})]
    named = {"id": f"msg_{uuid4().hex}", "status": "completed"}
    return {**named, **fields, "type": MESSAGE, "role": role, "content": content}

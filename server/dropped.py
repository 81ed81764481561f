"""Keys that vLLM leaves out without a word, and what says the same: refused with that advice."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeGuard

from server.errors import ApiError
from server.request_context import CHAT, COMPLETIONS, RESPONSES

GUIDED = MappingProxyType(
    {
        "guided_json": 'use `structured_outputs`: {"json": …}',
        "guided_choice": 'use `structured_outputs`: {"choice": […]}',
        "guided_regex": 'use `structured_outputs`: {"regex": "…"}',
        "guided_grammar": 'use `structured_outputs`: {"grammar": "…"}',
        "guided_decoding_backend": ("use `structured_outputs`; the server chooses who keeps to it"),
        "guided_whitespace_pattern": (
            'use `structured_outputs`: {"regex": "…"} where white space matters; '
            "JSON is written without"
        ),
    }
)
"""Names of earlier releases of vLLM, and what is used instead."""
INSTEAD: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        CHAT: {
            **GUIDED,
            "functions": "use `tools`",
            "function_call": "use `tool_choice`",
            "max_output_tokens": "use `max_completion_tokens`",
        },
        COMPLETIONS: {
            **GUIDED,
            "max_completion_tokens": "use `max_tokens`",
            "max_output_tokens": "use `max_tokens`",
        },
        RESPONSES: {
            **GUIDED,
            "response_format": 'use `text.format`: `text`: {"format": …}',
            "max_tokens": "use `max_output_tokens`",
            "max_completion_tokens": "use `max_output_tokens`",
        },
        "/v1/messages": GUIDED,
        "/v1/chat/completions/batch": GUIDED,
        "/invocations": GUIDED,
    }
)
"""By route: keys that are dropped, and what to use in their place."""


SHAPED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {CHAT: ("messages", "tools"), RESPONSES: ("tools",)}
)
"""By route: lists of objects."""


def refuse_dropped(path: str, body: Mapping[str, Any]) -> None:
    """Refuse what would be left out; raises `ApiError` (400). Null and `[]` ask for nothing."""
    for param, instead in INSTEAD.get(path, {}).items():
        if body.get(param) not in (None, []):
            raise ApiError(400, f"`{param}` is not available: {instead}", param=param)
    if path == CHAT:
        modalities = body.get("modalities")
        if isinstance(modalities, list) and any(kind != "text" for kind in modalities):
            raise ApiError(400, "`modalities`: only text is generated", param="modalities")
    elif path == COMPLETIONS:
        best_of, n = body.get("best_of"), body.get("n") or 1
        if is_number(best_of) and is_number(n) and best_of > n:
            raise ApiError(
                400, "`best_of` above `n` is not available: a vote ranks its `n`", param="best_of"
            )
    elif path == RESPONSES and body.get("conversation"):
        raise ApiError(
            400, "conversations are not kept: use `previous_response_id`", param="conversation"
        )


def refuse_shapeless(path: str, body: Mapping[str, Any]) -> None:
    """Refuse turns and tools that are none; vLLM walks them before it looks at their types."""
    for param in SHAPED.get(path, ()):
        value = body.get(param)
        if value is None:
            continue
        if not isinstance(value, list):
            raise ApiError(400, f"`{param}` must be a list of objects", param=param)
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                name = f"{param}.{index}"
                raise ApiError(400, f"`{name}` must be an object", param=name)


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value of a body is a number."""
    return isinstance(value, int | float)

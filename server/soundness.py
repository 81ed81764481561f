"""What no request body may hold, whatever its route: half characters, and nesting without end.

Knows nothing of what the keys mean. Strict JSON allows both; the tokenizer, the engine's transport
and every recursive walk behind this fail on them, far from the field that is to blame.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from server.errors import ApiError

MAX_NESTING = 128
"""Objects and arrays in each other; the engine takes schemas of 64."""
_MAYBE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
_SURROGATE = re.compile("[\ud800-\udfff]")

Place = tuple[Any, str, int]  # a value, its dotted path, its depth


def sound_object(raw: bytes) -> dict[str, Any] | None:
    """Return the JSON object in `raw`, None where there is none; raises `ApiError` (400).

    Costs one more pass over the parsed body only where the raw one gives reason to look.
    """
    try:
        body = json.loads(raw)
    except RecursionError as error:
        raise _too_deep("the body") from error
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    has_depth = raw.count(b"[") + raw.count(b"{") > MAX_NESTING
    if has_depth or _MAYBE_SURROGATE.search(raw):
        _check(body)
    return body


def _check(body: dict[str, Any]) -> None:
    waiting: list[Place] = [(body, "", 1)]
    while waiting:
        value, path, depth = waiting.pop()
        if depth > MAX_NESTING:
            raise _too_deep(f"`{path.partition('.')[0]}`", path.partition(".")[0])
        for child, name in _children(value):
            if isinstance(child, dict | list):
                waiting.append((child, f"{path}.{name}" if path else name, depth + 1))
            elif isinstance(child, str) and _SURROGATE.search(child):
                raise _half_character(f"{path}.{name}" if path else name)


def _children(value: Any) -> Iterator[tuple[Any, str]]:
    if isinstance(value, dict):
        for key, child in value.items():
            if _SURROGATE.search(key):
                raise _half_character(_SURROGATE.sub("?", key))
            yield child, key
    else:
        for index, child in enumerate(value):
            yield child, str(index)


def _half_character(path: str) -> ApiError:
    message = f"`{path}` holds half of a surrogate pair, which is no character: send valid Unicode"
    return ApiError(400, message, param=path)


def _too_deep(name: str, param: str | None = None) -> ApiError:
    message = f"{name} nests objects and arrays more than {MAX_NESTING} deep: send a flatter one"
    return ApiError(400, message, param=param)

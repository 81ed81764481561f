"""What is worked on while everybody waits, and so may not be large.

vLLM compiles forms of the output and splits forbidden words into tokens on the event loop, again
for every sample of a vote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from server.refusals.errors import ApiError

FORM = 32_768
"""Characters as JSON: some fifty milliseconds of a schema that is nothing but properties."""
MOST: Mapping[str, int] = MappingProxyType(
    {"structured_outputs": FORM, "response_format": FORM, "bad_words": 4_096, "model": 1_024}
)
"""By key, the most characters."""
REPEATS = 256
"""Counted in the patterns of one schema. The time grows with their square: 256 of a large class of
characters take some fifty milliseconds, 5,000 minutes."""
PATTERNED = ("structured_outputs", "response_format", "tools")
"""Keys that may hold a schema."""
HOLDERS = ("text", "output_config")
"""Keys whose `format` is a form: on /v1/responses and on /v1/messages."""
AS_TEXT = ("json", "structural_tag")
"""Keys of `structured_outputs` whose value may be given as a text."""
_COUNTED = re.compile(r"\{(\d{1,9})(?:,(\d{0,9}))?\}")


def refuse_heavy(body: Mapping[str, Any]) -> None:
    """Refuse what would take long to compile; raises `ApiError` (400)."""
    for param, most in MOST.items():
        _refuse_longer(param, body.get(param), most)
    for param in PATTERNED:
        _refuse_repeating(param, body.get(param))
    _refuse_longer("tools", _strict(body.get("tools")), FORM)
    for param in HOLDERS:
        held = body.get(param)
        if isinstance(held, dict):
            _refuse_longer(f"{param}.format", held.get("format"), FORM)
            _refuse_repeating(f"{param}.format", held.get("format"))


def _refuse_longer(param: str, value: object, most: int) -> None:
    if isinstance(value, str | list | dict) and len(json.dumps(value, ensure_ascii=False)) > most:
        message = f"`{param}` has more than {most} characters; send less"
        raise ApiError(400, message, param=param)


def _strict(tools: object) -> list[Any]:
    """Return the tools whose arguments are compiled as forms are, whatever the route."""
    given = tools if isinstance(tools, list) else ()
    objects = (each for each in given if isinstance(each, dict))
    return [each for each in objects if each.get("strict") or _inner(each).get("strict")]


def _inner(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = tool.get("function")
    return inner if isinstance(inner, dict) else {}


def _refuse_repeating(param: str, value: object) -> None:
    """Refuse patterns that are written out as so many copies of what they repeat."""
    repeats = sum(
        int(most or least)
        for pattern in _patterns(value)
        for least, most in _COUNTED.findall(pattern)
    )
    if repeats > REPEATS:
        message = (
            f"the patterns in `{param}` repeat {repeats} times, at most {REPEATS} are served: "
            "use `minLength` and `maxLength`, which have no such limit"
        )
        raise ApiError(400, message, param=param)


def _patterns(value: object) -> Iterator[str]:
    """Yield the patterns of the schemas in `value`, also of one that is given as a text."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += [item for item in part if isinstance(item, dict | list)]
        elif isinstance(part, dict):
            if isinstance(part.get("pattern"), str):
                yield part["pattern"]
            if isinstance(part.get("patternProperties"), dict):
                yield from part["patternProperties"]
            texts = (part[key] for key in AS_TEXT if isinstance(part.get(key), str))
            waiting += map(_read, texts)
            waiting += part.values()


def _read(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None  # vLLM says so

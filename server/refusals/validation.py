"""Which of pydantic's errors about a request is told, and how the field that it is in is called."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from server.refusals.unions import is_internal, meant
from server.refusals.vllm_words import of_vllm
from server.refusals.wording import either, field_in, kind_of, of_pydantic

_WHOLE_BODY = {
    "missing": "The request body is empty; send a JSON object",
    "model_attributes_type": "The request body must be a JSON object",
    "dict_type": "The request body must be a JSON object",
}
_KEYS = frozenset({"extra_forbidden", "missing"})
"""Errors whose last segment is a key, however it is spelled."""
_FOLLOWS_A_NAME = re.compile(r"(?:must|is|takes|needs)\b")
MOST_LOOKED_AT = 1000
"""A body can make thousands of errors; the first decides, of the branches of one union."""


@dataclass(frozen=True)
class _Entry:
    error: Any
    kind: str
    param: str | None


def first_error(
    error: ValidationError | RequestValidationError, prefix: str = ""
) -> tuple[str, str | None]:
    """Return a message and the dotted path of the first key that is wrong."""
    found = list(error.errors())[:MOST_LOOKED_AT]
    if not found:
        return "the request is not valid", None
    if isinstance(found[0], str):  # vLLM raises RequestValidationError with bare strings
        return of_vllm(found[0]), None
    is_route = isinstance(error, RequestValidationError)
    told = meant([each for each in found if isinstance(each, dict)])
    entries = [_entry(each, prefix, is_route=is_route) for each in told]
    first = _most_telling(entries)
    if first.kind == "json_invalid":
        reason = first.error.get("ctx", {}).get("error", "it does not parse")
        return f"The request body is not valid JSON: {reason}", None
    message = _message(first, [each for each in entries if each.param == first.param])
    if not first.param:
        return _WHOLE_BODY.get(first.kind, message), field_in(message)
    if (named := field_in(message)) and f".{first.param}".endswith(f".{named}"):
        return message, first.param
    joint = " " if _FOLLOWS_A_NAME.match(message) else ": "
    return f"`{first.param}`{joint}{message}", first.param


def _message(first: _Entry, alike: Sequence[_Entry]) -> str:
    """Return what is wrong with a field; `alike` are all errors of it."""
    words = [each for each in alike if each.kind == "literal_error"]
    others = [each for each in alike if each.kind != "literal_error"]
    if first.kind == "literal_error" and len(words) == len(others) == 1:
        return either([first.error, others[0].error])
    return of_pydantic(first.error, [each.kind for each in alike])


def _entry(error: Mapping[str, Any], prefix: str, *, is_route: bool) -> _Entry:
    kind = str(error.get("type", ""))
    location = [str(part) for part in error.get("loc", ())]
    if is_route:
        location = location[1:]  # FastAPI says first where it stood: body, query, path or header
    named = getattr(error.get("ctx", {}).get("error"), "parameter", None)  # vLLM's own checks
    return _Entry(error, kind, named or _dotted(location, prefix, keep_last=kind in _KEYS))


def _most_telling(entries: Sequence[_Entry]) -> _Entry:
    """Return the first error, or the one of the union's other branch that the value is of.

    A list of five stops is no string either, which is what pydantic says first.
    """
    first, *others = entries
    if kind_of(first.kind) is None:
        return first
    same = (each for each in others if each.param == first.param and kind_of(each.kind) is None)
    deeper = (each for each in others if first.param and _is_below(each.param, first.param))
    return next(same, None) or next(deeper, first)


def _is_below(param: str | None, above: str) -> bool:
    return param is not None and param.startswith(f"{above}.")


def _dotted(location: Sequence[str], prefix: str, *, keep_last: bool) -> str | None:
    """Join a pydantic location, leaving out the segments that pydantic made up."""
    last = len(location) - 1
    parts = [
        part
        for index, part in enumerate(location)
        if (keep_last and index == last) or not is_internal(part)
    ]
    return ".".join(filter(None, [prefix, *parts])) or None

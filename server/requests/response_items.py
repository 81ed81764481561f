"""What `/v1/responses` is asked and conversations take in, item by item.

It is looked at before pydantic tries every kind of item on each: a thousand items of no kind would
hold the event loop for two seconds.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from server.refusals.errors import ApiError

PARTS = frozenset(
    {"input_text", "input_image", "input_file", "input_audio", "output_text", "refusal"}
    | {"text", "reasoning_text", "summary_text"}
)
"""Kinds of the parts of a message."""


def refuse_shapeless_items(items: object, param: str = "input") -> None:
    """Refuse the first item of `param` that is of no kind there is; raises `ApiError` (400)."""
    for place, item in enumerate(items if isinstance(items, list) else ()):
        name = f"{param}.{place}"
        if not isinstance(item, dict):
            raise _refused(name, "must be an object")
        if _kind_of(name, item) == "message":
            _refuse_shapeless_message(name, item)


def _kind_of(name: str, item: Mapping[str, Any]) -> str:
    kind = item.get("type")
    if kind is None and "role" in item:
        return "message"
    if kind is None and "id" in item:
        return "item_reference"
    if kind is None:
        raise _refused(name, "needs a `role`, or a `type`")
    if not isinstance(kind, str) or kind not in _kinds():
        raise _refused(f"{name}.type", "is no kind of item that OpenAI knows")
    return kind


def _refuse_shapeless_message(name: str, item: Mapping[str, Any]) -> None:
    if not isinstance(item.get("role"), str):
        raise _refused(f"{name}.role", "must be a string")
    content = item.get("content")
    if not isinstance(content, str | list):
        raise _refused(f"{name}.content", "must be a text or a list of parts")
    for place, part in enumerate(content if isinstance(content, list) else ()):
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str) or kind not in PARTS:
            known = ", ".join(sorted(PARTS))
            raise _refused(f"{name}.content.{place}.type", f"must be one of {known}")


@functools.cache
def _kinds() -> frozenset[str]:
    """The kinds of items that OpenAI's own client declares."""
    from openai.types.responses import ResponseInputItemParam

    forms = typing.get_args(ResponseInputItemParam)
    declared = (typing.get_type_hints(form)["type"] for form in forms)
    return frozenset(each for hint in declared for each in _literals(hint))


def _literals(hint: Any) -> Iterator[str]:
    for each in typing.get_args(hint):
        if isinstance(each, str):
            yield each
        else:
            yield from _literals(each)


def _refused(param: str, problem: str) -> ApiError:
    return ApiError(400, f"`{param}` {problem}", param=param)

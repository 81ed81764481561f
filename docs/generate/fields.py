"""Fields of pydantic models as the reference shows them: docstring, default and bounds."""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

MINUS = "−"


def docstring(cls: type, name: str) -> str:
    """Return the docstring under a field of a model, or a member of an enumeration.

    Every one that is public has its own.
    """
    for owner in cls.__mro__:
        if name in vars(owner).get("__annotations__", {}) or name in vars(owner):
            found = _docstrings(owner).get(name)
            if found:
                return found
    raise LookupError(f"{cls.__name__}.{name} has no docstring to be told by")


@cache
def _docstrings(cls: type) -> Mapping[str, str]:
    node = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(node, ast.ClassDef)
    found = {}
    for field, below in zip(node.body, node.body[1:], strict=False):
        told = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        name = _assigned(field)
        if name and told:
            found[name] = " ".join(str(below.value.value).split())  # type: ignore[attr-defined]
    return found


def default(field: FieldInfo) -> str:
    """Return the default of a field, as it is typed."""
    value = field.default
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return _number(value)
    return f"`{value}`"


def bounds(field: FieldInfo) -> str:
    """Return what a field may be: an interval, its words, or how long it may be."""
    limits = _limits(field.metadata)
    return _words(field.annotation) or _interval(limits) or _length(limits, field.annotation)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation such as `tuple[Vote, ...] | None` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    else:
        for part in get_args(annotation):
            yield from models_in(part)


def is_many(annotation: Any) -> bool:
    """Whether an annotation speaks of a list."""
    origin = get_origin(annotation)
    parts = get_args(annotation) if origin in (types.UnionType, Union) else ()
    return origin is tuple or any(map(is_many, parts))


def _assigned(node: ast.stmt) -> str | None:
    """Return the name that a statement gives a value or a type."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return None


def _words(annotation: Any) -> str:
    if annotation is bool:
        return "true, false"
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return ", ".join(f"`{word}`" for word in annotation)
    return ""


def _interval(limits: Mapping[str, float]) -> str:
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    if low is None or high is None:
        told = {"ge": "at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}"}
        known = (told[name].format(_number(limits[name])) for name in told if name in limits)
        return next(known, "")
    if "ge" in limits and "le" in limits:
        return f"{_number(low)} to {_number(high)}"
    left, right = "≤" if "ge" in limits else "<", "≤" if "le" in limits else "<"
    return f"{_number(low)} {left} x {right} {_number(high)}"


def _length(limits: Mapping[str, float], annotation: Any) -> str:
    if "max_length" not in limits:
        return ""
    unit = "values" if is_many(annotation) else "characters"
    low = f"{limits['min_length']} to " if "min_length" in limits else "at most "
    each = [_interval(_limits(_metadata(part))) for part in get_args(annotation)]
    return f"{low}{limits['max_length']:,} {unit}" + "".join(f", each {one}" for one in each if one)


def _limits(metadata: Iterable[Any]) -> dict[str, float]:
    names = ("ge", "gt", "le", "lt", "min_length", "max_length")
    return {
        name: getattr(each, name)
        for each in metadata
        for name in names
        if getattr(each, name, None) is not None
    }


def _metadata(annotation: Any) -> Iterable[Any]:
    """Return the bounds in an `Annotated`."""
    found = [
        each for each in getattr(annotation, "__metadata__", ()) if isinstance(each, FieldInfo)
    ]
    return [bound for each in found for bound in each.metadata]


def _number(value: float) -> str:
    return (f"{value:,}" if isinstance(value, int) else f"{value:g}").replace("-", MINUS)

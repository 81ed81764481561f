"""Which branch of a union a value was meant for, told from what pydantic holds against each.

Pydantic lists the errors of every branch, in the order of the branches, and says of the first that
a turn of role "system" must be of role "developer". Knows nothing of the words for an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Error = Mapping[str, Any]  # one of pydantic's
Branch = tuple[str, ...]  # the segments of a location that name it

_INTERNAL_SEGMENT = re.compile(
    r".*[\[\](){}].*|[A-Z]\w*|str|int|float|bool|bytes|list|tuple|dict|set|none"
    r"|(constrained|function|tagged)-.*"
)
MISSING, WRONG_TAG, WRONG = 13, 12, 10
"""What a key costs that is not there, that names another branch, that is wrong otherwise."""
TAGS = ("type", "kind")
"""Keys that say of which branch a value is."""
_BETWEEN = re.compile(r", | or ")


def is_internal(segment: object) -> bool:
    """Whether pydantic made up a segment of a location; no client wrote it."""
    return isinstance(segment, str) and _INTERNAL_SEGMENT.fullmatch(segment) is not None


def meant(errors: Sequence[Error], depth: int = 0) -> Sequence[Error]:
    """Return the errors of the branch that was meant, of unions in unions too.

    Where the value is of no branch's type at all, every branch's error is returned.
    """
    location = errors[0]["loc"]
    start = next((i for i in range(depth, len(location)) if is_internal(location[i])), None)
    if start is None:
        return errors
    branches: dict[Branch, list[Error]] = {}
    for error in errors:
        if error["loc"][:start] == location[:start]:
            branches.setdefault(_branch(error, start), []).append(error)
    if (checked := _checked(branches, start)) is not None:
        return [checked]
    entered = {
        branch: found
        for branch, found in branches.items()
        if any(len(error["loc"]) > start + len(branch) for error in found)
    }
    if not entered:
        return errors
    best = min(entered, key=lambda branch: _distance(entered[branch], start + len(branch)))
    end = start + len(best)
    deeper = [error for error in entered[best] if len(error["loc"]) > end + 1]
    tag = next((error for error in entered[best] if _is_wrong_tag(error, end)), None)
    if tag is not None and not deeper:
        return [_of_every_branch(tag, entered.values())]
    return meant(deeper if tag is not None else entered[best], end)


def _checked(branches: Mapping[Branch, Sequence[Error]], start: int) -> Error | None:
    """Return what a branch says of the value as a whole, all of whose keys it takes."""
    for branch, found in branches.items():
        for error in found:
            if error["type"] == "value_error" and len(error["loc"]) == start + len(branch):
                return error
    return None


def _branch(error: Error, start: int) -> Branch:
    end = start
    while end < len(error["loc"]) and is_internal(error["loc"][end]):
        end += 1
    branch: Branch = error["loc"][start:end]
    return branch


def _distance(errors: Sequence[Error], end: int) -> tuple[bool, int]:
    """Return how far a value is from a branch: by its type first, then by what else is wrong."""
    wrong = {str(error["loc"][end]): error for error in errors if len(error["loc"]) > end}
    costs = (_cost(error, end) for error in wrong.values())
    is_other = any(key in wrong and _is_wrong_tag(wrong[key], end) for key in TAGS)
    return is_other, sum(costs)


def _cost(error: Error, end: int) -> int:
    if error["type"] == "missing" and len(error["loc"]) == end + 1:
        return MISSING
    return WRONG_TAG if _is_wrong_tag(error, end) else WRONG


def _is_wrong_tag(error: Error, end: int) -> bool:
    return error["type"] == "literal_error" and len(error["loc"]) == end + 1


def _of_every_branch(tag: Error, branches: Any) -> Error:
    """Return the error of a tag with what all the branches take there."""
    key = tag["loc"][-1]
    taken = [
        value
        for errors in branches
        for error in errors
        if error["type"] == "literal_error" and error["loc"][-1] == key
        for value in _BETWEEN.split(error["ctx"]["expected"])
    ]
    return {**tag, "ctx": {"expected": _listed([*dict.fromkeys(taken)])}}


def _listed(values: Sequence[str]) -> str:
    *most, last = values
    return f"{', '.join(most)} or {last}" if most else last

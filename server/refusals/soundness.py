"""What no request body may hold: half characters, numbers and nesting without end.

Knows nothing of what the keys mean. Strict JSON allows all three; the tokenizer, the engine's
transport and every recursive walk behind this fail on them, far from the field that is to blame.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

from server.refusals.errors import ApiError

MAX_NESTING = 128
"""Objects and arrays in each other; the engine takes schemas of 64."""
MAX_DIGITS = sys.get_int_max_str_digits()
"""Most digits of a whole number; 0 where Python itself has no such limit."""
ENDLESS = object()
"""Stands for a number that is too long to be read."""
_SURROGATE = re.compile("[\ud800-\udfff]")

Place = tuple[Any, str, int]  # a value, its dotted path, its depth


def sound_object(raw: bytes, parse: Callable[[bytes], Any] = json.loads) -> dict[str, Any] | None:
    """Return the JSON object in `raw`, None where there is none; raises `ApiError` (400).

    Costs one more pass over the parsed body only where the raw one gives reason to look.
    """
    is_readable = True
    try:
        body = parse(raw)
    except RecursionError as error:
        raise _too_deep("the body") from error
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None
    except ValueError:  # Python reads no number of so many digits
        is_readable, body = False, _with_marks(raw)
    if not isinstance(body, dict):
        return None
    has_depth = raw.count(b"[") + raw.count(b"{") > MAX_NESTING
    if has_depth or not is_readable or _may_hold_surrogates(raw):
        _check(body)
    if not is_readable:  # the number's key comes again, with another value
        raise _endless("a value", None)
    return body


def _with_marks(raw: bytes) -> Any:
    """Return the body with a mark for each number that is too long, None where it is no JSON."""

    def read(digits: str) -> object:
        return ENDLESS if len(digits) > MAX_DIGITS else 0

    try:
        return json.loads(raw, parse_int=read)
    except ValueError:
        return None
    except RecursionError as error:
        raise _too_deep("the body") from error


def _may_hold_surrogates(raw: bytes) -> bool:
    """Whether there is reason to look; a search by expression would take ten times as long."""
    return b"\\ud" in raw or b"\\uD" in raw or not _is_encodable(raw.decode, UnicodeDecodeError)


def _is_encodable(convert: Callable[[], object], fault: type[UnicodeError]) -> bool:
    try:
        convert()
    except fault:
        return False
    return True


def _check(body: dict[str, Any]) -> None:
    waiting: list[Place] = [(body, "", 1)]
    while waiting:
        value, path, depth = waiting.pop()
        if depth > MAX_NESTING:
            raise _too_deep(f"`{path.partition('.')[0]}`", path.partition(".")[0])
        for child, name in _children(value):
            if not _is_encodable(name.encode, UnicodeEncodeError):
                raise _half_character(_below(path, _SURROGATE.sub("?", name)))
            if isinstance(child, dict | list):
                waiting.append((child, _below(path, name), depth + 1))
            elif isinstance(child, str) and not _is_encodable(child.encode, UnicodeEncodeError):
                raise _half_character(_below(path, name))
            elif child is ENDLESS:
                place = _below(path, name)
                raise _endless(f"`{place}`", place)


def _children(value: Any) -> Iterator[tuple[Any, str]]:
    if isinstance(value, dict):
        yield from ((child, key) for key, child in value.items())
    else:
        for index, child in enumerate(value):
            yield child, str(index)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _half_character(path: str) -> ApiError:
    message = f"`{path}` holds half of a surrogate pair, which is no character: send valid Unicode"
    return ApiError(400, message, param=path)


def _endless(what: str, param: str | None) -> ApiError:
    message = f"{what} must be a number of at most {MAX_DIGITS} digits"
    return ApiError(400, message, param=param)


def _too_deep(name: str, param: str | None = None) -> ApiError:
    message = f"{name} nests objects and arrays more than {MAX_NESTING} deep: send a flatter one"
    return ApiError(400, message, param=param)

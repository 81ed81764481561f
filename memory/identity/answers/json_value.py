"""JSON answers: values compared as values, however they are laid out."""

from __future__ import annotations

import json
import re
from typing import Any

from memory.identity.answers.answer import Answer
from memory.identity.answers.code_block import introduces
from memory.identity.answers.deliberation import conclusion
from memory.identity.answers.options import AnswerOptions
from memory.identity.answers.sentence import is_courtesy

_FENCED = re.compile(r"```[A-Za-z0-9_+-]*[ \t]*\n(.*?)```", re.DOTALL)
_CONTAINER = re.compile(r"```|[{\[]")
_OPENING = re.compile(r"(?P<bracket>\{(?=\s{0,99}[\"}])|\[(?=\s{0,99}[\"{\[\]tfn0-9-]))")


class _Number(str):
    """A JSON number by its digits, so that neither size nor precision is lost."""

    __slots__ = ()


def extract_json(text: str, options: AnswerOptions) -> Answer | None:
    """Take the whole text, else the last fenced block, else the last object (or array) in it."""
    del options
    text = conclusion(text)
    for candidate in (text.strip(), *reversed(fenced_blocks(text))):
        key = canonical_json(candidate)
        if key is not None:
            return Answer(candidate.strip(), key, structured=True)
    found = _embedded(text)
    return None if found is None else Answer(found, canonical_json(found) or found, structured=True)


def whole_container(text: str) -> Answer | None:
    """Take an object or an array that is all a text says, perhaps in one fence.

    What only leads to it (`Here is the JSON:`) and courtesies after it say nothing.
    """
    begins = _CONTAINER.search(text)
    if begins is None or not (
        introduces(text[: begins.start()]) or not text[: begins.start()].strip()
    ):
        return None
    body = text[begins.start() :].strip()
    if body.startswith("```"):
        found = _FENCED.match(body)
        if found is None or not all(map(is_courtesy, body[found.end() :].strip().splitlines())):
            return None
        body = found[1].strip()
    key = canonical_json(body) if body[:1] in ("{", "[") else None
    return None if key is None else Answer(body, key, structured=True)


def fenced_blocks(text: str) -> list[str]:
    """The contents of the ``` blocks, in order."""
    return [block[1] for block in _FENCED.finditer(text)] if text.count("```") > 1 else []


def canonical_json(text: str) -> str | None:
    """Return the canonical form of a JSON document, or None if it is none.

    Keys are sorted, numbers equal by value are written alike (`1`, `1.0`, `10e-1`), everything is
    ASCII. Different values never share a form: `1`, `"1"` and `true` are three.
    """
    value = parse_json(text)
    if value is _INVALID:
        return None
    try:
        return canonical_value(value)
    except RecursionError:
        return None


def parse_json(text: str) -> Any:
    """Decode `text`; numbers come as digit strings of a type of their own, failure as a marker."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return _INVALID


def is_invalid(value: object) -> bool:
    """Whether `parse_json` failed."""
    return value is _INVALID


def canonical_value(value: Any) -> str:
    """Write a value of `parse_json` canonically; RecursionError on absurd nesting."""
    if isinstance(value, dict):
        members = (f"{json.dumps(key)}:{canonical_value(value[key])}" for key in sorted(value))
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical_value, value)) + "]"
    if isinstance(value, _Number):
        return _number(value)
    return json.dumps(value)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_float=_Number, parse_int=_Number, parse_constant=_refuse)
_INVALID = object()


def _number(digits: str) -> str:
    """The value as integer digits and a power of ten: `1.50` is `15e-1`, `200` stays `200`."""
    mantissa, _, exponent = digits.lower().partition("e")
    if len(exponent) > 18:
        return digits  # beyond counting: equal only to itself
    sign, mantissa = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
    whole, _, part = mantissa.partition(".")
    significant = (whole + part).lstrip("0")
    trimmed = significant.rstrip("0")
    if not trimmed:
        return "0"
    power = int(exponent or "0") - len(part) + len(significant) - len(trimmed)
    if 0 <= power <= 40:
        return sign + trimmed + "0" * power
    return f"{sign}{trimmed}e{power}"


def _embedded(text: str) -> str | None:
    """The last object in running text, or the last array where there is no object.

    A failed attempt is charged the characters it read (and a little for those before it, as the
    decoder then counts lines from the start), so garbage full of brackets costs linear time.
    """
    found: dict[str, str] = {}
    budget, position = 4 * len(text) + 1000, 0
    while budget > 0 and (opening := _OPENING.search(text, position)):
        start = opening.start()
        try:
            _, position = _DECODER.raw_decode(text, start)
            found[opening["bracket"]] = text[start:position]
        except json.JSONDecodeError as error:
            budget -= 1 + error.pos - start + error.pos // 256
            position = start + 1
        except (ValueError, RecursionError) as error:
            budget -= 1000 if isinstance(error, ValueError) else 10_000
            position = start + 1
    return found.get("{", found.get("["))

"""Pydantic's words about a request, in ours: one sentence that names the field, by table.

Knows neither routes nor statuses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from memory.lines.origin import SPDX
from server.refusals.vllm_words import of_vllm

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "string": "a string",
        "str": "a string",
        "int": "a whole number",
        "float": "a number",
        "decimal": "a number",
        "bool": "true or false",
        "bytes": "a string of base64",
        "list": "a list",
        "tuple": "a list",
        "set": "a list",
        "iterable": "a list",
        "dict": "an object",
        "mapping": "an object",
        "model": "an object",
        "model_attributes": "an object",
        "dataclass": "an object",
        "none_required": "null",
    }
)
"""What pydantic's types of a value are called on the wire, by how their errors begin."""
_KIND = re.compile(r"(.+?)_(?:type|parsing|from_float|exact_type|parsing_size)|none_required")
RULES: Mapping[str, str] = MappingProxyType(
    {
        "missing": "is required",
        "extra_forbidden": "is not a known key",
        "greater_than": "must be above {gt}",
        "greater_than_equal": "must be at least {ge}",
        "less_than": "must be below {lt}",
        "less_than_equal": "must be at most {le}",
        "multiple_of": "must be a multiple of {multiple_of}",
        "finite_number": "must be a finite number",
        "too_long": "takes at most {max_length} entries",
        "too_short": "needs at least {min_length} entries",
        "string_too_long": "must have at most {max_length} characters",
        "string_too_short": "must have at least {min_length} characters",
        "string_pattern_mismatch": "must match the pattern {pattern}",
        "literal_error": "must be one of {expected}",
        "enum": "must be one of {expected}",
        "union_tag_invalid": "must have {discriminator} as one of {expected_tags}",
        "union_tag_not_found": "needs the key {discriminator}",
        "int_parsing_size": "is too large a number",
        "string_unicode": "holds half of a surrogate pair, which is no character",
        "recursion_loop": "is nested too deeply",
    }
)
"""By pydantic's name of an error, what is to be said of the field; braces hold its context."""
NAME = "must be letters, digits, `.`, `_` and `-`, beginning with a letter or digit"
PATTERNS: Mapping[str, str] = MappingProxyType(
    {
        r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$": "is no id of anything here",
        r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": f"{NAME}, at most 64 of them",
        r"^[A-Za-z0-9][A-Za-z0-9._-]*$": NAME,
        r"^item\.\S+$": "must name a field of an item, such as `item.input`",
        r"\S": "must hold more than white space",
        SPDX: "must be an SPDX expression, such as `MIT OR CC-BY-4.0`",
    }
)
"""What our own patterns ask for, as few people read one; tests hold them to those of fields."""
_LEADING_FIELD = re.compile(r"`([a-z][a-z0-9_.]*)`")


def field_in(message: str) -> str | None:
    """Return the field that a sentence of ours begins with."""
    found = _LEADING_FIELD.match(message)
    return found[1] if found else None


def of_pydantic(error: Mapping[str, Any], alternatives: Sequence[str] = ()) -> str:
    """Return what is wrong with a field, to follow its name.

    `alternatives` are the types of further errors that the same value made.
    """
    kinds = [kind_of(name) for name in (str(error.get("type", "")), *alternatives)]
    known = [*dict.fromkeys(kind for kind in kinds if kind)]
    if kinds[0]:
        return f"must be {' or '.join(known)}"
    rule = RULES.get(str(error.get("type", "")))
    if rule is not None:
        return _ruled(rule, error)
    said = str(error.get("msg", "is not valid"))
    return of_vllm(said.removeprefix("Value error, ").removeprefix("Assertion failed, "))


def either(errors: Sequence[Mapping[str, Any]]) -> str:
    """Return what is wrong with a field that takes one of some words, or another value."""
    told = dict.fromkeys(of_pydantic(error) for error in errors)
    return "must be " + " or ".join(each.removeprefix("must be ") for each in told)


def _ruled(rule: str, error: Mapping[str, Any]) -> str:
    known = error.get("ctx", {})
    if known.get("pattern") in PATTERNS:
        return PATTERNS[known["pattern"]]
    try:
        return rule.format(**known)
    except KeyError:  # a release of pydantic that tells less
        return "is not valid"


def kind_of(name: str) -> str | None:
    """Return what type of value an error asks for, None where it asks for something else."""
    found = _KIND.fullmatch(name)
    return KINDS.get(found[1] or name) if found else None

"""Reads the answer out of a sample: one function per kind, and the order `auto` tries them in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from memory.identity.answers.answer import Answer
from memory.identity.answers.canonical import canonical
from memory.identity.answers.choice import extract_choice, letter_of
from memory.identity.answers.code_block import extract_code
from memory.identity.answers.fold import undecorate
from memory.identity.answers.json_value import extract_json, whole_container
from memory.identity.answers.markers import conclusion, marked_values
from memory.identity.answers.math_value import extract_math
from memory.identity.answers.options import AnswerOptions
from memory.identity.answers.quantity import parse_quantity
from memory.identity.answers.regex_match import extract_regex
from memory.identity.answers.tool_call import extract_tool
from memory.identity.answers.whole_text import extract_text

Extractor = Callable[[str, AnswerOptions], Answer | None]

EXTRACTORS: Mapping[str, Extractor] = MappingProxyType(
    {
        "math": extract_math,
        "choice": extract_choice,
        "json": extract_json,
        "tool": extract_tool,
        "regex": extract_regex,
        "text": extract_text,
    }
)


def extract(
    text: str, options: AnswerOptions, *, has_tools: bool = False, json_output: bool = False
) -> Answer | None:
    """Return the answer in `text`, or None where there is none of the asked kind; never raises.

    `has_tools` and `json_output` say what the request allowed and matter to kind `auto` only.
    """
    if options.kind == "auto":
        return _extract_auto(text, options, has_tools=has_tools, json_output=json_output)
    return EXTRACTORS[options.kind](text, options)


def _extract_auto(
    text: str, options: AnswerOptions, *, has_tools: bool, json_output: bool
) -> Answer | None:
    """Tool calls, JSON, an explicit mark, a bare value, code, and else the whole text."""
    found = extract_tool(text, options) if has_tools else None
    if found is None:
        body = conclusion(text)
        found = extract_json(body, options) if json_output else whole_container(body)
    if found := found or _marked(text) or _bare(text):
        return found
    body = conclusion(text)
    return extract_code(body, options) or extract_text(body, options)


def _marked(text: str) -> Answer | None:
    for value in marked_values(conclusion(text)):
        answer = _read(value)
        if answer is not None:
            return answer
    return None


def _read(value: str) -> Answer | None:
    letter = letter_of(value)
    if letter:
        return Answer(letter, letter.lower(), structured=True)
    key = canonical(value)
    return Answer(undecorate(value), key, structured=True) if key else None


def _bare(text: str) -> Answer | None:
    """A reply that is nothing but a number or a letter; one unit word at most, as `2 men left` and
    `2 dogs died` are sentences."""
    value = undecorate(conclusion(text))
    if len(value) > 60 or "\n" in value:
        return None
    is_value = parse_quantity(value, max_unit_words=1) is not None or _is_letter(value)
    return _read(value) if is_value else None


def _is_letter(value: str) -> bool:
    return len(value) <= 4 and letter_of(value) is not None

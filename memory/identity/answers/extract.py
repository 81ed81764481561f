"""Reads the answer out of a sample: one function per kind, and the order `auto` tries them in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from memory.identity.answers.answer import Answer
from memory.identity.answers.choice import extract_choice, leading_choice, letter_of
from memory.identity.answers.code_block import extract_code
from memory.identity.answers.deliberation import conclusion
from memory.identity.answers.denial import standing
from memory.identity.answers.json_value import extract_json, whole_container
from memory.identity.answers.markers import marked_values
from memory.identity.answers.math_value import (
    alone,
    bare_value,
    closing_answer,
    extract_math,
    read_marked,
)
from memory.identity.answers.options import AnswerOptions
from memory.identity.answers.regex_match import extract_regex
from memory.identity.answers.spellings import known_spelling
from memory.identity.answers.tool_call import extract_tool
from memory.identity.answers.whole_text import extract_text

_INTEGER = re.compile(r"-?[0-9]{1,30}")
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


def extract(text: str, options: AnswerOptions, *, json_output: bool = False) -> Answer | None:
    """Return the answer in `text`, or None where there is none of the asked kind; never raises.

    `json_output` says that the request demanded JSON, and matters to kind `auto` only.
    """
    if options.kind == "auto":
        return _extract_auto(text, options, json_output=json_output)
    return EXTRACTORS[options.kind](text, options)


def _extract_auto(text: str, options: AnswerOptions, *, json_output: bool) -> Answer | None:
    """JSON, an explicit mark, a bare value, a stated one, code, else the whole text."""
    if not json_output and _INTEGER.fullmatch(text):  # most answers, and all rules agree on them
        return Answer(text, str(int(text)), structured=True)
    body = conclusion(text)
    found = extract_json(body, options) if json_output else whole_container(body)
    said = standing(body)
    marks = marked_values(said)
    if found := found or _marked(marks) or _bare(said):
        return found
    if "" in marks:
        return extract_text(body, options)
    if "```" not in body and "~~~" not in body and (found := closing_answer(said, lax=False)):
        return found
    return extract_code(body, options) or extract_text(body, options)


def _marked(marks: list[str]) -> Answer | None:
    for value in marks:
        letter = letter_of(value)
        answer = _letter(letter) if letter else read_marked(value)
        if answer is not None:
            return answer
    return None


def _bare(body: str) -> Answer | None:
    """A reply that is nothing but a value or a letter."""
    value = alone(body)
    if letter := leading_choice(value):
        return _letter(letter)
    letter = letter_of(value) if len(value) <= 4 else None
    if letter:
        return _letter(letter)
    if len(value) <= 60 and (spelling := known_spelling(value)):
        return Answer(value, spelling, structured=True)
    return bare_value(body)


def _letter(letter: str) -> Answer:
    return Answer(letter, letter.lower(), structured=True)

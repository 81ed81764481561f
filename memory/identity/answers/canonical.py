"""The key of an answer's text: equal keys are one answer, and nothing else is."""

from __future__ import annotations

import re

from memory.identity.answers.arithmetic import canonical_arithmetic
from memory.identity.answers.fold import (
    MAX_VALUE_CHARS,
    fold_case,
    fold_expression,
    fold_prose,
    undecorate,
)
from memory.identity.answers.json_value import canonical_json
from memory.identity.answers.markers import marked_values
from memory.identity.answers.relation import Side
from memory.identity.answers.spellings import known_spelling
from memory.identity.answers.value import parse_value

_LETTER = re.compile(r"\(?([A-Ja-j])\)")
_LIST_OF_NUMBERS = re.compile(r"\[[-+0-9.,eE\s]{0,500}\]")
_PATH = re.compile(r"[A-Z](?:[-/][A-Z]){2,40}|(?=.{0,80}([a-z]).{0,80}\1)[a-z](?:[-/][a-z]){2,40}")
"""`N-E-S-W` and `w-w-l` are no differences; `a-b-c` is one."""
_SINGLE = re.compile(r"[A-Za-z]")
_FACTORIAL = re.compile(r"(?:[0-9)}]|(?<![A-Za-z])[A-Za-z])!\s{0,9}\$?\s{0,9}\Z")


def canonical(text: str) -> str:
    """Return the key of an answer text; never raises.

    JSON objects and arrays by value; numbers and expressions exactly, with their unit and the
    symbol they are of (`keys`); arithmetic by its value and its numbers (`canonical_arithmetic`);
    `(B)` as `b`; anything else by its spelling, without the case of words and without decoration.
    """
    stripped = text.strip()
    if stripped[:1] in ("{", "[") and not _LIST_OF_NUMBERS.fullmatch(stripped):
        value = canonical_json(stripped)
        if value is not None:
            return value
    if len(stripped) > MAX_VALUE_CHARS:
        return fold_prose(stripped)
    bare = stripped if _FACTORIAL.search(stripped) else undecorate(stripped)
    if spelling := known_spelling(bare):
        return spelling
    side = read_value(bare)
    if side is None and "nswer" in stripped:
        marked = marked_values(stripped)
        return (
            canonical(marked[0])
            if marked and 0 < len(marked[0]) < len(stripped)
            else _spelling(stripped)
        )
    return side.named.key if side else _spelling(stripped)


def read_value(bare: str, max_words: int = 4) -> Side | None:
    """What an undecorated text is worth, unless it is a letter, a word or a path."""
    if not bare or any(each.fullmatch(bare) for each in (_SINGLE, _LETTER, _PATH)):
        return None
    return parse_value(bare, max_words)


def _spelling(text: str) -> str:
    folded = fold_expression(text)
    letter = _LETTER.fullmatch(folded)
    folded = letter[1] if letter else folded
    return canonical_arithmetic(folded) or fold_case(folded.strip())

"""Mathematical answers: marked values first, then what the last line ends with.

Never the first number in the text: that is usually copied from the question.
"""

from __future__ import annotations

import re

from memory.identity.answers.answer import Answer
from memory.identity.answers.canonical import canonical
from memory.identity.answers.equation import conclusion_of, is_bare
from memory.identity.answers.fold import MAX_VALUE_CHARS, undecorate
from memory.identity.answers.markers import conclusion, marked_values
from memory.identity.answers.options import AnswerOptions
from memory.identity.answers.quantity import parse_quantity

_NUMBER = re.compile(
    r"(?<![\w.,^*/+=({\\-])(?<![\w)}][ ][-+*/^])"
    r"[-−]?[$€£¥₹]?[0-9][0-9,]{0,40}(?:\.[0-9]{1,40})?(?:/[0-9]{1,40})?%?"
    r"(?![\w^*/+({\\])"
)
_FRACTION_OR_NUMBER = re.compile(
    r"\\[dt]?frac\{[^{}\n]{1,40}\}\{[^{}\n]{1,40}\}|" + _NUMBER.pattern
)
_NEGATION = re.compile(r"\b(?:not|never|isn't|cannot)\b", re.IGNORECASE)
_PROSE = re.compile(r"[A-Za-z]{2,}[^A-Za-z]+[A-Za-z]{2,}|^[A-Za-z]{2,}[ ]")


def extract_math(text: str, options: AnswerOptions) -> Answer | None:
    """Take the last mark, else the right side of a final equation, else the final number."""
    del options
    text = conclusion(text)
    for value in marked_values(text):
        shown = _evaluated(value)
        key = canonical(shown)
        if key:
            return Answer(shown, key, structured=True)
    lines = text.rstrip()[-4 * MAX_VALUE_CHARS :].splitlines()
    last = next((line for line in reversed(lines) if line.strip(" *`_$\\]")), "")
    end = _end_of(last[-MAX_VALUE_CHARS:])
    return Answer(end, canonical(end), structured=True) if end else None


def _evaluated(value: str) -> str:
    """The result within a marked value: `3 + 4 = 7` is 7, "she has 288 apples" is 288."""
    value = undecorate(value)
    if len(value) > MAX_VALUE_CHARS or parse_quantity(value) is not None:
        return value
    right = undecorate(conclusion_of(value) or "")
    if right and parse_quantity(right) is not None:
        return right
    if is_bare(value):
        return value
    if "\\boxed" not in value and _PROSE.search(value) and not _NEGATION.search(value):
        numbers = [number[0] for number in _FRACTION_OR_NUMBER.finditer(value)]
        if len(numbers) == 1:
            return _tidy(numbers[0])
    return value


def _end_of(line: str) -> str | None:
    """The value a closing line arrives at: after its last `=`, or its final number."""
    right = undecorate(line.rsplit("=", 1)[-1]) if "=" in line else ""
    if right and parse_quantity(right) is not None:
        return right
    number = None
    for number in _FRACTION_OR_NUMBER.finditer(line):  # noqa: B007  (the last match is wanted)
        pass
    return _tidy(number[0]) if number else None


def _tidy(number: str) -> str:
    return number.rstrip(",")

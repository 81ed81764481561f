"""Two whole numbers that are one value: `5 out of 8`, `1 in 6`, `7 over 2`, `7 R 2`, `3 to 2`.

In a sentence they are one only where it says so: `The probability is one in six`, but `8 out of 10
students` may be 8 students.
"""

from __future__ import annotations

import re

from memory.identity.answers.number_words import NUMBER_WORDS, read_number_words

_WHOLE = re.compile(r"([0-9][0-9,]{0,11}) (?:out of|in|over) (?:every )?([0-9][0-9,]{0,11})\.?")
_CHANCE = re.compile(r"\b(?:probability|probabilities|chances?|likelihood|odds)\b", re.IGNORECASE)
_ENDS = r"\b(?=[.!*]|\s{0,3}\Z)"
_NUMBER = rf"([0-9]{{1,9}}|(?:{'|'.join(NUMBER_WORDS)})(?:-[a-z]{{3,5}})?)"
_IN_CHANCE = re.compile(rf"\b{_NUMBER} (?:out of|in) (?:every )?{_NUMBER}{_ENDS}", re.IGNORECASE)
_RATIO = re.compile(r"\bratios?\b", re.IGNORECASE)
_IN_RATIO = re.compile(r"\b([0-9]{1,9}) to ([0-9]{1,9})" + _ENDS)
_REMAINDER = re.compile(
    r"([0-9]{1,12}),? ?(?:R|r|rem\.?|remainder|(?:with|and) (?:a )?remainder(?: of)?) ?"
    r"([0-9]{1,12})\.?"
)


def as_fraction(text: str) -> str:
    """Write a text that is nothing but such a quotient as a fraction; any other stays."""
    found = _WHOLE.fullmatch(text)
    return f"{found[1]}/{found[2]}" if found else text


def in_sentence(sentence: str) -> str:
    """Write the chances and ratios of a sentence as fractions and with a colon."""
    if _CHANCE.search(sentence):
        sentence = _IN_CHANCE.sub(
            lambda found: f"{_digits(found[1])}/{_digits(found[2])}", sentence
        )
    if _RATIO.search(sentence):
        sentence = _IN_RATIO.sub(r"\1:\2", sentence)
    return sentence


def _digits(number: str) -> str:
    """A number in figures, where it is one in words."""
    value, taken = read_number_words(number.replace("-", " - ").split())
    return str(value) if taken else number


def with_remainder(text: str) -> str | None:
    """The key of a quotient and its remainder; None for anything else."""
    found = _REMAINDER.fullmatch(text)
    return f"{int(found[1])} R {int(found[2])}" if found else None

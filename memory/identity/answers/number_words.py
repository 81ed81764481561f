"""Numbers written as English words: `forty-two`, `one hundred and five`."""

from __future__ import annotations

from collections.abc import Sequence

from memory.identity.answers.fraction_words import begins_part, read_added_part
from memory.identity.answers.words import words

_SMALL = words(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen
        fourteen fifteen sixteen seventeen eighteen nineteen"""
)
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_UNITS = {word: value for value, word in enumerate(_SMALL)}
_TENS_VALUES = {word: 10 * value for value, word in enumerate(_TENS, 2)}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
NUMBER_WORDS = frozenset((*_UNITS, *_TENS_VALUES))
SCALE_WORDS = frozenset(("hundred", "thousand", "million", "billion", "trillion", "dozen"))


def read_number_words(words: Sequence[str]) -> tuple[int, int]:
    """The number that `words` begin with and how many of them it takes; 0 taken where none."""
    total = part = taken = 0
    last = ""
    for place, word in enumerate(words):
        word = word.lower()
        if word in ("-", "and") and taken == place:
            follows = words[place + 1].lower() if place + 1 < len(words) else ""
            if (last in _TENS_VALUES) == (word == "-") and follows in NUMBER_WORDS and place:
                if word == "and" and last not in ("hundred", *_SCALES):
                    break
                taken += 1
                continue
            break
        if word in _UNITS and (not last or last in ("hundred", *_SCALES) or _joins(last, word)):
            part += _UNITS[word]
        elif word in _TENS_VALUES and (not last or last in ("hundred", *_SCALES)):
            part += _TENS_VALUES[word]
        elif word == "hundred" and last in _UNITS:
            part *= 100
        elif word in _SCALES and part:
            total, part = total + part * _SCALES[word], 0
        else:
            break
        last, taken = word, place + 1
    return total + part, taken


def begins_number(words: Sequence[str]) -> bool:
    """Whether a number in words begins here; `one` alone is rather a pronoun, `a` an article."""
    first, after, next_after, last = (*(word.lower() for word in words[:4]), "", "", "", "")[:4]
    if first in ("one", "a"):
        follows = last if next_after == "and" else next_after
        if (
            after == "dozen"
            or begins_part(words)
            or (first == "one" and read_added_part(words[1:])[1])
        ):
            return True
        return after in SCALE_WORDS and (first == "one" or follows in NUMBER_WORDS)
    return first in NUMBER_WORDS and first != "zero"


def goes_back(before: Sequence[str]) -> bool:
    """Whether a number in words that seems to begin here began earlier: `several hundred five`."""
    *earlier, last = ("", *(word.lower() for word in before[-2:]))
    if last == "point":
        return earlier[-1] in NUMBER_WORDS
    if last == "and":
        return earlier[-1] in SCALE_WORDS
    return last in SCALE_WORDS or last in NUMBER_WORDS


def _joins(last: str, word: str) -> bool:
    return last in _TENS_VALUES and 0 < _UNITS[word] < 10

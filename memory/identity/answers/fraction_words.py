"""Fractions written as English words: `one half`, `two-thirds`, `two and a half`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

_PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6}
_PARTS |= {"seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10}
_MANY = {f"{name}s": parts for name, parts in _PARTS.items()} | {"halves": 2}
_TOPS = {"a": 1, "one": 1, "three": 3}


def read_part(count: int, words: Sequence[str]) -> tuple[Fraction, int]:
    """The fraction that `words` make of a number before them, and how many they are; 0 of none.

    One third, two thirds: the plural tells the fraction from the ordinal (`twenty-fifth`).
    """
    taken = words[:1] == ["-"]
    name = words[taken].lower() if len(words) > taken else ""
    parts = _PARTS.get(name) if count == 1 else _MANY.get(name)
    return (Fraction(count, parts), taken + 1) if parts else (Fraction(count), 0)


def read_added_part(words: Sequence[str]) -> tuple[Fraction, int]:
    """The fraction of `and a half`, and how many words it takes; 0 where there is none."""
    hyphen = words[2:3] == ["-"]  # and three-quarters
    joint, top, name = (*(word.lower() for word in words[:4] if word != "-"), "", "", "")[:3]
    count = _TOPS.get(top, 0)
    parts = (_PARTS if count == 1 else _MANY).get(name)
    return (
        (Fraction(count, parts), 3 + hyphen)
        if joint == "and" and count and parts
        else (Fraction(0), 0)
    )


def begins_part(words: Sequence[str]) -> bool:
    """Whether `one` or `a` begins a fraction: `one third`, `a half`; `a third` may be one more."""
    first, after = (*(word.lower() for word in words[:3] if word != "-"), "", "")[:2]
    return (first == "one" and after in _PARTS) or (first == "a" and after == "half")

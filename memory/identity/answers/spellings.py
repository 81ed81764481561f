"""Words and signs that have one meaning and several spellings: `third` and `3rd`, `∅` and `{}`."""

from __future__ import annotations

import re

from memory.identity.answers.chemistry import substance
from memory.identity.answers.words import words

_ORDINALS = {
    word: place
    for place, word in enumerate(
        words(
            """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth
            thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth
            twentieth"""
        ),
        1,
    )
}
_ORDINAL = re.compile(r"([0-9]{1,6})\s?(?:\^\{?)?(?:\\text\{)?(st|nd|rd|th)\}{0,2}")
_EMPTY = frozenset(["∅", r"\emptyset", r"\varnothing", r"\{\}", r"\{ \}"])
_OF_CHOICES = re.compile(r"\(?([A-J])\)?(?:(?:,? and |,? & |, ?)\(?([A-J])\)?){1,9}")
_CHOICE = re.compile(r"[A-J](?![a-z])")


def known_spelling(text: str) -> str | None:
    """The key of a text that has such a meaning; None for any other."""
    if text.lower() == "n/a":
        return "n/a"
    if text in _EMPTY:
        return r"\emptyset"
    if found := _ORDINAL.fullmatch(text):
        return f"{int(found[1])}th"
    if place := _ORDINALS.get(text.lower()):
        return f"{place}th"
    if _OF_CHOICES.fullmatch(text):
        return "&".join(sorted(set(_CHOICE.findall(text))))
    return substance(text)

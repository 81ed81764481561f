"""Clock times and dates, as far as their spelling says which is which.

`05/01/2024` does not say which is the month: it keeps its spelling.
"""

from __future__ import annotations

from collections.abc import Sequence

from memory.identity.answers.lexer import Token
from memory.identity.answers.words import words

_MONTHS = words(
    """january february march april may june july august september october november
        december"""
)
_MONTH = {name: place for place, name in enumerate(_MONTHS, 1)} | {
    name[:3]: place for place, name in enumerate(_MONTHS, 1)
}
MONTHS = frozenset(_MONTH)
_DAY_SUFFIX = frozenset({"st", "nd", "rd", "th"})


def clock(tokens: Sequence[Token], at: int) -> tuple[str, int] | None:
    """`9:45 AM`, `9 a.m.`: the time, and how many tokens it takes. `9:45` alone may be a ratio."""
    texts = [token.text for token in tokens[at : at + 9]]
    if not texts or not texts[0].isdigit() or len(texts[0]) > 2:
        return None
    taken, minutes = 1, "00"
    if len(texts) > 2 and texts[1] == ":" and texts[2].isdigit() and len(texts[2]) == 2:
        taken, minutes = 3, texts[2]
    if texts[1:4] == ["o", "'", "clock"]:
        return f"{int(texts[0])}:00", 4
    half = _half(texts[taken:])
    if half is None or int(texts[0]) > 24:
        return None
    name, length = half
    return f"{int(texts[0])}:{minutes} {name}", taken + length


def _half(texts: Sequence[str]) -> tuple[str, int] | None:
    first = texts[0].lower() if texts else ""
    if first in ("am", "pm"):
        return first, 1
    if first in ("a", "p") and [text.lower() for text in texts[1:3]] == [".", "m"]:
        return first + "m", 4 if texts[3:4] == ["."] else 3
    return None


def date(tokens: Sequence[Token], at: int) -> tuple[str, int] | None:
    """`2024-05-01`, `May 1, 2024`, `1 May 2024`: the day in ISO 8601, and its number of tokens."""
    texts = [token.text for token in tokens[at : at + 7]]
    if len(texts) < 3:
        return None
    if len(texts) > 4 and texts[1] == texts[3] == "-" and _is_iso(texts, tokens[at + 1].spaced):
        return f"{texts[0]}-{texts[2]}-{texts[4]}", 5
    if texts[0].lower() in _MONTH and _is_day(texts[1]):
        place = 2 + (texts[2] in _DAY_SUFFIX)
        place += texts[place : place + 1] == [","]
        if _is_year(texts[place : place + 1]):
            return f"{texts[place]}-{_MONTH[texts[0].lower()]:02}-{int(texts[1]):02}", place + 1
    if _is_day(texts[0]):
        place = 1 + (texts[1] in _DAY_SUFFIX)
        month = _MONTH.get(texts[place].lower())
        place += 1 + (texts[place + 1 : place + 2] == [","])
        if month and _is_year(texts[place : place + 1]):
            return f"{texts[place]}-{month:02}-{int(texts[0]):02}", place + 1
    return None


def _is_iso(texts: Sequence[str], spaced: bool) -> bool:
    lengths = [len(texts[place]) for place in (0, 2, 4)]
    return not spaced and lengths == [4, 2, 2] and all(texts[p].isdigit() for p in (0, 2, 4))


def _is_day(text: str) -> bool:
    return text.isdigit() and len(text) < 3 and 0 < int(text) < 32


def _is_year(texts: Sequence[str]) -> bool:
    return bool(texts) and texts[0].isdigit() and len(texts[0]) == 4

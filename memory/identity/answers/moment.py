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
    """`2024-05-01`, `2024/05/01`, `May 1, 2024`, `1 May 2024`, `May 1`, `May 2024`: the day
    (or the month) in ISO 8601, and its number of tokens."""
    texts = [token.text for token in tokens[at : at + 7]]
    if len(texts) > 4 and _is_iso(texts, tokens[at + 1].spaced):
        return f"{texts[0]}-{texts[2]}-{texts[4]}", 5
    texts += [""] * (7 - len(texts))
    month, day, taken = _day_of_month(texts)
    if not month:
        return None
    place = taken + (texts[taken] == ",")
    if _is_year(texts[place : place + 1]):
        day_of = f"-{day:02}" if day else ""
        return f"{texts[place]}-{month:02}{day_of}", place + 1
    return (f"--{month:02}-{day:02}", taken) if day else None


def _day_of_month(texts: Sequence[str]) -> tuple[int, int, int]:
    """The month, the day or 0, and how many tokens they take; zeroes where no date begins."""
    if month := _month(texts[0]):
        if not _is_day(texts[1]):
            return month, 0, 1
        return month, int(texts[1]), 2 + (texts[2] in _DAY_SUFFIX)
    if not _is_day(texts[0]):
        return 0, 0, 0
    place = 1 + (texts[1] in _DAY_SUFFIX)
    place += texts[place] == "of"
    month = _month(texts[place])
    return (month, int(texts[0]), place + 1) if month else (0, 0, 0)


def _month(text: str) -> int:
    return _MONTH.get(text.lower(), 0) if text[:1].isupper() else 0


def _is_iso(texts: Sequence[str], spaced: bool) -> bool:
    lengths = [len(texts[place]) for place in (0, 2, 4)]
    is_joined = texts[1] == texts[3] and texts[1] in ("-", "/")
    return (
        is_joined
        and not spaced
        and lengths == [4, 2, 2]
        and all(texts[p].isdigit() for p in (0, 2, 4))
    )


def _is_day(text: str) -> bool:
    return text.isdigit() and len(text) < 3 and 0 < int(text) < 32


def _is_year(texts: Sequence[str]) -> bool:
    return bool(texts) and texts[0].isdigit() and len(texts[0]) == 4

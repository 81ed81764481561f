"""Numbers whose digits are grouped otherwise than in English: `1.234.567`, `1.000,50`, `1_000`.

Only where the whole text is one number and nothing but a sign, a currency or words are beside it,
and where the groups leave no doubt: `3,14` and `1.234` keep their English reading, and `12 500`
may be two numbers.
"""

from __future__ import annotations

import re

_GROUPED = re.compile(
    r"(?P<before>[^0-9.,_]{0,8})"
    r"(?P<whole>[0-9]{1,3}(?:(?:_[0-9]{3}){1,6}|(?:\.[0-9]{3}){2,6}"
    r"|(?:\.[0-9]{3}){1,6}(?=,[0-9]{1,2}(?![0-9]))))"
    r"(?P<part>[.,][0-9]{1,9})?"
    r"(?P<after>(?![.,_]?[0-9])[^0-9,_+*/^=<>(){}\[\]-]{0,60})"
)
_SEPARATORS = str.maketrans("", "", "._")


def ungrouped(text: str) -> str:
    """Write a text that is one such number as in English; any other stays."""
    found = _GROUPED.fullmatch(text)
    if found is None:
        return text
    part = (found["part"] or "").replace(",", ".")
    return found["before"] + found["whole"].translate(_SEPARATORS) + part + found["after"]

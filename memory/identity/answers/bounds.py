"""Words beside a number that make it another one, or a bound: `5 or more`, `twice 5`, `close to 5`.

Only words that stand at the number itself count: `Twice 5 is 10` states 10.
"""

from __future__ import annotations

import re

_COMPARED = "more|less|fewer|greater|larger|smaller|higher|lower|bigger|longer|shorter"
_ABROAD = (
    "moins(?: de)?|plus de|menos(?: de)?|m[aá]i?s de|almeno|meno(?: di)?|più di|entre"
    "|mindestens|höchstens|(?:mehr|weniger|kleiner|größer) als|zwischen|(?:minder|meer) dan"
    "|более|менее|минус|между"
)
"""`At least`, `more than`, `between` and `minus`, as far as another language has its own words."""
_BEFORE = re.compile(
    rf"\b(?:(?:{_COMPARED})\s+than(?:\s+or\s+equal\s+to)?|at\s+(?:least|most)|between|from"
    r"|(?<!add[ ])(?<!adds[ ])(?<!adding[ ])(?<!sum[ ])(?<!sums[ ])(?<!comes[ ])up\s+to"
    r"|(?<![0-9][ ])over|under|above|below|beyond|near|(?:close|next)\s+to|something\s+like"
    r"|twice|thrice|double|triple|(?:two|three|four|five|six|seven|eight|nine|ten)\s+times"
    r"|(?:half|third|quarter|multiple|(?<!by[ ]a[ ])factor|divisor|square|cube|root)\s+of"
    r"|as\s+[a-z]+\s+as|(?:half|quarter)\s+(?:past|to)|past|here\s+are(?:\s+(?:some|the|my))?"
    rf"|{_ABROAD}"
    r"|(?:options?|choices?)\s+[0-9]+\s+(?:or|and|to))\s+(?:about\s+)?[$€£\\({-]{0,3}\Z",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"[)}$]{0,2}(?:\s[a-z]+)?,?\s+(?:or\s+(?:so|above|over|up|under|below"
    rf"|{_COMPARED})|and\s+(?:up|upwards?|above|over|more|below)|(?:{_COMPARED})\s+than"
    r"|in\s+(?:the\s+red|debt)\b|overdrawn\b|more\s+or\s+less|at\s+(?:least|most)"
    r"|(?:minimum|maximum|or\s+thereabouts)\b)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[0-9][0-9,.]{0,40}")
_RESULT = re.compile(r"=|\b(?:is|are|equals|makes?|gives?)\b")


def bounds(before: str, after: str) -> bool:
    """Whether what stands beside a number makes it another one."""
    return _BEFORE.search(before[-60:]) is not None or _AFTER.match(after) is not None


def is_bounded(value: str) -> bool:
    """Whether a marked value bounds its number, and has no result of it."""
    if _RESULT.search(value):
        return False
    return any(
        bounds(value[: found.start()], value[found.end() :]) for found in _NUMBER.finditer(value)
    )

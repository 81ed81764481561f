"""Sets, tuples, intervals and matrices: members by value, sets in one order.

`(2, 3)` may be a pair or an interval: both are written so, and compared so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memory.identity.answers.exact import UnreadableError, rational, spelled
from memory.identity.answers.lexer import Token

if TYPE_CHECKING:
    from memory.identity.answers.value import ValueParser

_PAIRS = {"(": ")", "[": "]", r"\{": r"\}", "{": "}"}
_CLOSINGS = frozenset(_PAIRS.values())
_MIXED = {"(": ")]", "[": ")]"}
"""Half-open intervals close otherwise than they open."""


def closing(tokens: Sequence[Token], start: int) -> int | None:
    """The place of the token that closes the bracket at `start`."""
    depth = 0
    for place in range(start, min(len(tokens), start + 200)):
        text = tokens[place].text
        depth += (text in _PAIRS) - (text in _CLOSINGS)
        if depth == 0:
            opening = tokens[start].text
            return place if text in _MIXED.get(opening, _PAIRS.get(opening, "")) else None
    return None


def separators(tokens: Sequence[Token], start: int, end: int) -> list[int]:
    """The commas (or semicolons) between the members of a bracket."""
    depth, found = 0, []
    for place in range(start, end):
        text = tokens[place].text
        depth += (text in _PAIRS) - (text in _CLOSINGS)
        if depth == 1 and text in (",", ";"):
            found.append(place)
    return found


def collection_key(parser: ValueParser, start: int, end: int) -> tuple[str, int]:
    """The key of the bracket at `start`, and the place after it."""
    opening, shut = parser.tokens[start].text[-1], parser.tokens[end].text[-1]
    members: list[str] = []
    parser.at = start + 1
    while parser.at < end:
        side = parser.side()
        members.append(f"{side.key} {side.unit}" if side.unit else side.key)
        if parser.at < end and not parser.takes(",", ";"):
            raise UnreadableError("no separator")
    if parser.at != end or not members:
        raise UnreadableError("an empty collection")
    if opening == "{":
        members = sorted(set(members))
    return f"{opening}{','.join(members)}{shut}", end + 1


def matrix_key(parser: ValueParser, start: int) -> tuple[str, int]:
    """The key of `\\begin{pmatrix} … \\end{pmatrix}`, whatever its brackets."""
    texts = [token.text for token in parser.tokens[start : start + 4]]
    if len(texts) < 4 or texts[1] != "{" or "matrix" not in texts[2] or texts[2] == "vmatrix":
        raise UnreadableError("no matrix")
    parser.at = start + 4
    rows: list[list[str]] = [[]]
    while not parser.takes(r"\end"):
        value = parser.sum()
        rows[-1].append(spelled(value) if rational(value) is None else str(rational(value)))
        if parser.takes("\\\\"):
            rows.append([])
        elif not parser.takes("&") and parser.next.text != r"\end":
            raise UnreadableError("no matrix")
    rows = [row for row in rows if row]
    if len({len(row) for row in rows}) != 1:
        raise UnreadableError("rows of several lengths")
    for text in ("{", texts[2], "}"):
        parser.expects(text)
    return "matrix " + ";".join(",".join(row) for row in rows), parser.at

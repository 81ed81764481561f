"""What relations and lists say: equations, inequalities, solutions, alternatives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from memory.identity.answers.exact import Terms, UnreadableError, spelled
from memory.identity.answers.keys import Named

_FLIPPED = {">": "<", ">=": "<="}


@dataclass(frozen=True)
class Side:
    """One side of an equation, or a whole value."""

    key: str
    """Without unit and symbol."""
    number: Fraction | None = None
    terms: Terms | None = None
    unit: str = ""
    symbol: str = ""
    """What it is the value of."""
    lone: str = ""
    """Its name, where it is nothing but a symbol."""
    has_symbols: bool = False
    counts: bool = False
    """Whether it says what it counts."""
    joined: str = ""
    """`=` where it is the result of an equation, the sign of another relation, or a list's."""

    @property
    def named(self) -> Named:
        """The parts of its key."""
        return Named(self.key, self.unit, self.symbol)


def related(sides: Sequence[Side], signs: Sequence[str]) -> Side:
    """What a chain of relations says."""
    if ("≈" in signs and signs.index("≈") > 0) or (signs[0] == "≈" and not sides[0].lone):
        place = signs.index("≈")  # what is rounded adds nothing to what is exact
        if sides[-1].unit and sides[-1].unit != sides[place].unit != "":
            return sides[-1]  # 10 km ≈ 6.2 mi
        sides, signs = sides[: place + 1], signs[:place]
        if not signs:
            return sides[0]
    signs = ["=" if sign == "≈" else sign for sign in signs]
    first, last = sides[0], sides[-1]
    if set(signs) == {"="}:
        return _equation(sides)
    if signs == ["in"] and first.lone:
        return replace(last, symbol=first.lone, joined="in")
    if "in" in signs or ("!=" in signs and len(signs) > 1) or "=" in signs:
        raise UnreadableError("a chain of several relations")
    if signs == ["!="]:
        return Side("!=".join(sorted((first.key, last.key))), has_symbols=True, joined="!=")
    return _inequality(sides, signs)


def _equation(sides: Sequence[Side]) -> Side:
    first, last = sides[0], sides[-1]
    if len(sides) == 2 and last.lone and not first.has_symbols and not first.lone:
        return replace(first, symbol=last.lone, joined="=")
    leads = first.lone or not any(side.has_symbols or side.lone for side in sides[:-1])
    if leads and not (last.lone and not first.lone):
        if (
            first.lone
            and len(sides) > 2
            and last.has_symbols
            and any(s.number is not None for s in sides)
        ):
            raise UnreadableError("a chain that does not end in its value")
        exact = next((side for side in sides[:-1] if _rounds(side, last)), last)
        if first.number == last.number and first.key == str(first.number):
            exact = first  # 7 = 3 + 4
        return replace(exact, symbol=first.lone, joined="=")
    keys = sorted(side.named.key for side in sides) if len(sides) == 2 else [s.key for s in sides]
    return Side("=".join(keys), has_symbols=True, joined="==")


def _rounds(exact: Side, rounded: Side) -> bool:
    """Whether a fraction is followed by no more than a decimal near it: 1/3 = 0.33."""
    one, other = exact.number, rounded.number
    if one is None or other is None or one == other or exact.key != str(one):
        return False
    digits = next((n for n in range(1, 7) if (other * 10**n).denominator == 1), 0)
    return digits > 0 and abs(one - other) * 2 * 10**digits <= 1


def _inequality(sides: Sequence[Side], signs: Sequence[str]) -> Side:
    if all(sign in _FLIPPED for sign in signs):
        sides, signs = sides[::-1], [_FLIPPED[sign] for sign in signs][::-1]
    elif any(sign in _FLIPPED for sign in signs):
        raise UnreadableError("relations of two directions")
    if len(sides) == 2 and sides[0].lone and not sides[1].has_symbols:
        return _interval("(", "-\\infty", sides[1], ")" if signs[0] == "<" else "]", sides[0])
    if len(sides) == 2 and sides[1].lone and not sides[0].has_symbols:
        opens = "(" if signs[0] == "<" else "["
        return _interval(opens, sides[0], "\\infty", ")", sides[1])
    if len(sides) == 3 and sides[1].lone and not (sides[0].has_symbols or sides[2].has_symbols):
        opens, closes = "(" if signs[0] == "<" else "[", ")" if signs[1] == "<" else "]"
        return _interval(opens, sides[0], sides[2], closes, sides[1])
    key = sides[0].key + "".join(
        sign + side.key for sign, side in zip(signs, sides[1:], strict=True)
    )
    return Side(key, has_symbols=True, joined="<")


def _interval(opens: str, low: Side | str, high: Side | str, closes: str, of: Side) -> Side:
    ends = [end if isinstance(end, str) else end.key for end in (low, high)]
    ends = [spelled({(("\\infty", Fraction(1)),): Fraction(-1 if end[0] == "-" else 1)})
            if isinstance(end, str) and "infty" in end else end for end in ends]  # fmt: skip
    unit = next((end.unit for end in (low, high) if isinstance(end, Side)), "")
    return Side(f"{opens}{ends[0]},{ends[1]}{closes}", unit=unit, symbol=of.lone, joined="<")


def listed(found: Sequence[Side], signs: set[str]) -> Side:
    """What several values beside each other say."""
    if any(side.counts for side in found[:-1]):
        raise UnreadableError("several things are counted")
    keys = {side.key for side in found}
    units = {side.unit for side in found if side.unit}
    symbols = [side.symbol for side in found if side.symbol]
    if len(units) > 1:
        raise UnreadableError("several units")
    unit = "".join(units)
    if "or" in signs and len(keys) == 1:
        return found[0]
    if len(symbols) == len(found) and len(set(symbols)) == len(found):
        return Side(
            ";".join(sorted(f"{s.symbol}={s.key}" for s in found)), has_symbols=True, joined=";"
        )
    if len(set(symbols)) > 1 or (symbols and not found[0].symbol):
        raise UnreadableError("several symbols")
    if any(side.joined in ("==", "<", "!=") for side in found) and len(symbols) < len(found):
        raise UnreadableError("several relations")
    symbol = symbols[0] if symbols else ""
    if signs <= {"or", ","} and all(side.joined == "<" for side in found) and symbol:
        return Side("∪".join(sorted(keys)), unit=unit, symbol=symbol, joined="<")
    if symbol or signs & {"or", "and"}:
        members = sorted({key for side in found for key in _members(side)})
        return Side("{" + ",".join(members) + "}", unit=unit, symbol=symbol, joined="or")
    return Side(",".join(side.key for side in found), unit=unit, joined=",")


def _members(side: Side) -> list[str]:
    return side.key[1:-1].split(",") if side.joined == "or" and side.key[:1] == "{" else [side.key]


def has_symbols(key: str) -> bool:
    """Whether a key is of more than numbers."""
    bare = re.sub(r"\\(?:pi|infty)|(?:sin|cos|tan|ln|log|exp)", "", key)
    return re.search("[A-Za-z]", bare) is not None

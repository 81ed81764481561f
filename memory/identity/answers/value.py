"""The grammar of one value: what expressions are joined to, and the key that comes of it.

    value   := chain (("," | ";" | "or" | "and") chain)*
    chain   := side (("=" | "<" | "≤" | … | "∈") side)*
    side    := collection | clock | date | ratio | sum [scale] [unit] [what is counted]

A value is read as a whole or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from memory.identity.answers.arithmetic import canonical_arithmetic
from memory.identity.answers.collection import closing, collection_key, matrix_key, separators
from memory.identity.answers.counted import counted
from memory.identity.answers.exact import Terms, UnreadableError, atom, constant, rational, spelled
from memory.identity.answers.expression import MONEY_SCALES, ExpressionParser, _Seen
from memory.identity.answers.keys import Named
from memory.identity.answers.lexer import Token, lex, plain
from memory.identity.answers.moment import clock, date
from memory.identity.answers.number_words import NUMBER_WORDS, read_number_words
from memory.identity.answers.units import read_unit, unit_name

RELATIONS = {"=": "=", "≈": "≈", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!=": "!=", ":=": "="}
_FLIPPED = {">": "<", ">=": "<="}
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9} | {
    "trillion": 10**12, "dozen": 12,
}  # fmt: skip
_SIMPLE = re.compile(r"(-?(?:[0-9]{1,3}(?:,[0-9]{3}){1,5}|[0-9]{1,30})(?:\.[0-9]{1,30})?)\.?")
_SYMBOL = re.compile(r"(?:[A-Za-z]|\\(?!pi|infty)[A-Za-z]{2,8})(?:_[0-9]{1,3})?")
_ARITHMETIC = {r"\times": "*", r"\cdot": "*"}
_BEGINS_UNIT = frozenset("/°€$£¥₹")
_ABOUT = frozenset({"≈", "~", "about", "approximately", "roughly", "around", "exactly", "nearly"})
_OPERATORS = {"plus": "+", "minus": "-", "times": "*", "equals": "="}
_BY = {"divided": "/", "multiplied": "*"}


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
    joined: str = ""
    """`=` where it is the result of an equation, the sign of another relation, or a list's."""

    @property
    def named(self) -> Named:
        """The parts of its key."""
        return Named(self.key, self.unit, self.symbol)


@lru_cache(maxsize=1024)
def parse_value(text: str, max_words: int = 4) -> Side | None:
    """Read the whole of a text as one value; None where it is none, or not one that can be told.

    `max_words` may say what is counted. The samples of a vote mostly say the same, hence the cache.
    """
    if simple := _SIMPLE.fullmatch(text):
        number = Fraction(simple[1].replace(",", ""))
        return Side(str(number), number, constant(number))
    tokens = tokens_of(text)
    if not tokens or len(tokens) > 250:
        return None
    parser = ValueParser(tokens)
    parser.max_words = max_words
    try:
        found = parser.value()
        return found if parser.ends() else None
    except (UnreadableError, RecursionError, OverflowError, ValueError, ZeroDivisionError):
        return None


def tokens_of(text: str) -> list[Token]:
    """Tokens of a text, with the signs that its words stand for."""
    return with_operators(lex(plain(text)))


def with_operators(tokens: list[Token]) -> list[Token]:
    """Turn `plus`, `minus`, `negative` and the like into signs where they join numbers."""
    if not any(
        token.text in _OPERATORS or token.text in _BY or token.text == "negative"
        for token in tokens
    ):
        return tokens
    found: list[Token] = []
    skip = False
    for place, token in enumerate(tokens):
        if skip:
            skip = False
            continue
        after = tokens[place + 1].text if place + 1 < len(tokens) else ""
        is_before_value = (
            after[:1].isdigit() or after in ("$", "(") or len(after) == 1 or after[:1] == "\\"
        )
        joins = bool(found) and (found[-1].kind == "number" or found[-1].text in (")", "}", "$"))
        if token.text in _BY and after == "by" and joins:
            token, skip = token._replace(kind="sign", text=_BY[token.text]), True
        elif token.text in ("minus", "negative") and (
            after[:1].isdigit() or after.lower() in NUMBER_WORDS
        ):
            token = token._replace(kind="sign", text="-")
        elif token.text in _OPERATORS and is_before_value and joins:
            token = token._replace(kind="sign", text=_OPERATORS[token.text])
        found.append(token)
    return found


class ValueParser(ExpressionParser):
    """Reads values at a position of a list of tokens."""

    def ends(self) -> bool:
        """Whether nothing but a full stop is left."""
        self.takes(".")
        return self.next.kind == "end"

    def value(self) -> Side:
        """Read chains and what joins them."""
        found, signs = [self.chain()], set[str]()
        while sign := self._separator():
            signs.add(sign)
            found.append(self.chain())
            if len(found) > 40:
                raise UnreadableError("too many values")
        return found[0] if len(found) == 1 else listed(found, signs)

    def _separator(self) -> str:
        sign = self.next.text
        if sign in (",", ";"):
            after = self.peek(1).text
            if self.in_prose or self.peek(1).kind == "end":
                return ""
            self.at += 2 if after in ("or", "and") else 1
            return after if after in ("or", "and") else ","
        if sign in ("or", "and") and self.next.kind == "word":
            if self.in_prose and not self._is_symbol_ahead():
                return ""
            self.at += 1
            return sign
        return ""

    def _is_symbol_ahead(self) -> bool:
        return self.peek(1).kind in ("word", "command") and self.peek(2).text == "="

    def chain(self) -> Side:
        """Read sides and the relations between them."""
        sides, signs = [self.side()], list[str]()
        while self.next.text in RELATIONS or self.next.text == r"\in":
            if self.in_prose and self.peek(1).kind == "end":
                break
            signs.append(RELATIONS.get(self.next.text, "in"))
            self.at += 1
            sides.append(self.side())
            if len(sides) > 12:
                raise UnreadableError("too many sides")
        if self.leads and set(signs) == {"="}:
            return replace(sides[-1], joined="=")
        return related(sides, signs) if signs else sides[0]

    def side(self) -> Side:
        """Read one side, with its unit and what it counts."""
        while self.next.text.lower() in _ABOUT:
            self.at += 1
        start = self.at
        for read in (self._moment, self._collection, self._number_words):
            self.at = start
            if found := read():
                return found
        self.at, self.seen, self.currency = start, _Seen(), ""
        return self._sum(start)

    def _sum(self, start: int) -> Side:
        if self.takes(r"\pm"):
            terms = self.sum()
            return self._both(constant(0), terms)
        terms = self.sum()
        if self.takes(r"\pm"):
            return self._both(terms, self._product())
        number = rational(terms)
        consumed = self.tokens[start : self.at]
        if self.next.text == ":" and number is not None and number.denominator == 1:
            return self._ratio(number)
        key, seen = spelled(terms), self.seen
        is_fraction = seen.operations == 1 and seen.divisions == 1
        if seen.operations and not seen.is_rich and not is_fraction:
            text = "".join(
                _ARITHMETIC.get(token.text, token.text.replace(",", "")) for token in consumed
            )
            key = canonical_arithmetic(text) or text
        lone = key if number is None and _SYMBOL.fullmatch(key) else ""
        side = Side(key, number, terms, lone=lone, has_symbols=number is None and _has_symbols(key))
        return self._with_unit(side)

    def _both(self, middle: Terms, distance: Terms) -> Side:
        calculator = self.calculator
        ends = (calculator.add(middle, distance),
                calculator.add(middle, calculator.negate(distance)))  # fmt: skip
        return Side("{" + ",".join(sorted({spelled(end) for end in ends})) + "}", joined="or")

    def _ratio(self, first: Fraction) -> Side:
        parts = [str(first)]
        while (
            self.next.text == ":"
            and self.peek(1).kind == "number"
            and not (self.in_prose and self.peek(1).spaced and not self.next.spaced)
        ):
            self.at += 1
            parts.append(spelled(self._number()))
        if len(parts) == 1:
            if self.in_prose:
                return Side(parts[0], first, constant(first))
            raise UnreadableError("no ratio")
        return Side(":".join(parts))

    def _moment(self) -> Side | None:
        for read in (clock, date):
            if found := read(self.tokens, self.at):
                key, taken = found
                self.at += taken
                return Side(key)
        return None

    def _number_words(self) -> Side | None:
        is_negative = self.takes("-")
        if self.next.text.lower() not in NUMBER_WORDS:
            return None
        words = [token.text for token in self.tokens[self.at : self.at + 20]]
        value, taken = read_number_words(words)
        if not taken:
            return None
        self.at += taken
        value = -value if is_negative else value
        return self._with_unit(Side(str(value), Fraction(value), constant(value)))

    def _with_unit(self, side: Side) -> Side:
        number = side.number
        attached = MONEY_SCALES.get(self.next.text) if self.currency or self.is_scaled() else None
        if number is not None and attached:
            self.at += 1
            number *= attached
        while number is not None and self.next.text.lower() in _SCALES and self.next.kind == "word":
            number *= _SCALES[self.next.text.lower()]
            self.at += 1
        if number is not None and number != side.number:
            side = replace(side, number=number, terms=constant(number), key=str(number))
        if number is not None and self._percent():
            side = replace(
                side, number=number / 100, terms=constant(number / 100), key=str(number / 100)
            )
        unit = self._unit() if self.next.kind == "word" or self.next.text in _BEGINS_UNIT else ""
        unit = self.currency or unit
        side = replace(side, unit=unit) if unit else side
        if unit and number is not None and self.next.kind == "number" and self.next.spaced:
            return self._compound(side)
        if (
            unit
            and number is not None
            and self.next.text == "and"
            and self.peek(1).kind == "number"
        ):
            if unit_name(self.peek(2).text) is not None:
                self.at += 1
                return self._compound(side)
        counted(self, side.number)
        return side

    def _percent(self) -> bool:
        if self.takes("percent"):
            return True
        if self.next.text == "per" and self.peek(1).text == "cent":
            self.at += 2
            return True
        return False

    def _unit(self) -> str:
        words = [token.text for token in self.tokens[self.at : self.at + 12]]
        if self.currency and words and words[0] in ("/", "per"):
            words = words[1:]
            _, taken = read_unit(words)
            self.at += taken + 1 if taken else 0
            return self.currency
        if words and words[0] == "of" and len(words) > 1 and words[1] in ("a", "an"):
            return ""
        unit, taken = read_unit(words)
        self.at += taken
        if self.takes("per", "/") if self.currency or unit else False:
            self.at += 1  # 5 dollars per book
        return unit

    def _compound(self, first: Side) -> Side:
        """Read on in `3 h 30 min`."""
        parts = [f"{first.key} {first.unit}"]
        while self.next.kind == "number" and self.next.spaced and len(parts) < 4:
            value = self._mixed()
            unit = self._unit()
            if not unit:
                raise UnreadableError("two numbers in a row")
            parts.append(f"{spelled(value)} {unit}")
        return Side("+".join(parts))

    def _collection(self) -> Side | None:
        opening = self.next.text
        if opening == r"\begin":
            key, self.at = matrix_key(self, self.at)
            return Side(key)
        if opening not in ("(", "[", r"\{", "{"):
            return None
        end = closing(self.tokens, self.at)
        if end is None or (opening in ("(", "{") and not separators(self.tokens, self.at, end)):
            return None
        if self.in_prose and opening == "(" and self.tokens[self.at + 1].kind == "word":
            return None
        key, self.at = collection_key(self, self.at, end)
        parts = [key]
        while self.takes(r"\cup"):
            after = closing(self.tokens, self.at)
            if after is None:
                raise UnreadableError("no union")
            key, self.at = collection_key(self, self.at, after)
            parts.append(key)
        if self._begins_factor(0) or self.next.text in ("^", "*", "+", "-", "/", "!"):
            if not (self.in_prose and (self.next.spaced or self.next.text == "!")):
                raise UnreadableError("more than a collection")
        return Side("∪".join(sorted(set(parts))), joined="or" if opening[-1] == "{" else "")


def related(sides: Sequence[Side], signs: Sequence[str]) -> Side:
    """What a chain of relations says."""
    if ("≈" in signs and signs.index("≈") > 0) or (signs[0] == "≈" and not sides[0].lone):
        place = signs.index("≈")  # what is rounded adds nothing to what is exact
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


def _has_symbols(key: str) -> bool:
    bare = re.sub(r"\\(?:pi|infty)|(?:sin|cos|tan|ln|log|exp)", "", key)
    return re.search("[A-Za-z]", bare) is not None


__all__ = ["Side", "ValueParser", "atom", "parse_value", "tokens_of"]

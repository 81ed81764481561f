"""The grammar of one value: what expressions are joined to, and the key that comes of it.

    value   := chain (("," | ";" | "or" | "and") chain)*
    chain   := side (("=" | "<" | "≤" | … | "∈") side)*
    side    := collection | clock | date | ratio | sum [scale] [unit] [what is counted]

A value is read as a whole or not at all.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from memory.identity.answers.arithmetic import canonical_arithmetic
from memory.identity.answers.collection import closing, collection_key, matrix_key, separators
from memory.identity.answers.cursor import Seen
from memory.identity.answers.digit_groups import ungrouped
from memory.identity.answers.exact import Terms, UnreadableError, constant, rational, spelled
from memory.identity.answers.lexer import Token, lex, plain
from memory.identity.answers.moment import clock, date
from memory.identity.answers.numeral import number_of
from memory.identity.answers.quantity import QuantityParser
from memory.identity.answers.quotient import as_fraction, with_remainder
from memory.identity.answers.relation import Side, has_symbols, listed, related
from memory.identity.answers.word_signs import with_operators

RELATIONS = {"=": "=", "≈": "≈", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!=": "!=", ":=": "="}
_SIMPLE = re.compile(r"(-?(?:[0-9]{1,3}(?:,[0-9]{3}){1,5}|[0-9]{1,30})(?:\.[0-9]{1,30})?)\.?")
_SYMBOL = re.compile(
    r"(?:[A-Za-z]|\\(?!pi|infty)[A-Za-z]{2,8})(?:_[0-9]{1,3})?|P\([^()]{1,40}\)"
    r"|[A-Za-z]\(-?[0-9]{1,9}(?:/[0-9]{1,9})?\)"
)
"""What a value can be the value of: `x`, `x_1`, `f(2)`, `P(A)`."""
_ARITHMETIC = {r"\times": "*", r"\cdot": "*"}
_HYPHENED = re.compile("[0-9]+-[0-9]+/[0-9]+")
_MAYBE_GROUPED = re.compile(r"[1-9][0-9]{0,2}\.[0-9]{3}")
_SHORTENED = frozenset({"approx", "ca"})
_ABOUT = _SHORTENED.union(
    ["≈", "~", "about", "approximately", "roughly", "around", "exactly", "nearly"]
)


@lru_cache(maxsize=1024)
def parse_value(text: str, max_words: int = 4) -> Side | None:
    """Read the whole of a text as one value; None where it is none, or not one that can be told.

    `max_words` may say what is counted. The samples of a vote mostly say the same, hence the cache.
    """
    if simple := _SIMPLE.fullmatch(text):
        number = Fraction(simple[1].replace(",", ""))
        return Side(str(number), number, constant(number))
    if quotient := with_remainder(text):
        return Side(quotient)
    tokens = tokens_of(as_fraction(ungrouped(text)))
    if not tokens or len(tokens) > 250:
        return None
    parser = ValueParser(tokens)
    parser.max_words = max_words
    try:
        found = parser.value()
        if len(found.lone) == 1:  # a letter may be a choice, whose case is nothing
            found = replace(found, key=found.key.lower())
        return found if parser.ends() else None
    except (UnreadableError, RecursionError, OverflowError, ValueError, ZeroDivisionError):
        return None


def tokens_of(text: str) -> list[Token]:
    """Tokens of a text, with the signs that its words stand for."""
    return with_operators(lex(plain(text)))


class ValueParser(QuantityParser):
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
            if after.isdigit() and not self.peek(1).spaced and "." in self.tokens[self.at - 1].text:
                raise UnreadableError("points and commas that may mean either: 10.000,5")
            if (self.in_prose and not self._is_symbol_ahead()) or self.peek(1).kind == "end":
                return ""
            if after == "I" and self.peek(2).kind == "word":
                return ""  # 14, I think
            self.at += 2 if after in ("or", "and") else 1
            return after if after in ("or", "and") else ","
        if sign in ("or", "and") and self.next.kind == "word":
            if self.in_prose and not self._is_symbol_ahead():
                return ""
            self.at += 1
            return sign
        return ""

    def _is_symbol_ahead(self) -> bool:
        """Whether an equation for a symbol follows: `x = 1, y = 2`."""
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
            if self.tokens[self.at - 1].text in _SHORTENED:
                self.takes(".")
        start = self.at
        for read in (self._moment, self._collection, self.number_words):
            self.at = start
            if found := read():
                return found
        self.at, self.seen, self.currency = start, Seen(), ""
        return self._sum(start)

    def _sum(self, start: int) -> Side:
        if self.takes(r"\pm"):
            terms = self.sum()
            return self._both(constant(0), terms)
        terms = self.sum()
        if self.takes(r"\pm"):
            return self._both(terms, self.product())
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
        side = Side(key, number, terms, lone=lone, has_symbols=number is None and has_symbols(key))
        whole = self.with_unit(side)
        if whole.unit and _HYPHENED.fullmatch("".join(token.text for token in consumed)):
            raise UnreadableError("5-1/8 inches is a mixed number, 5 - 1/8 a difference")
        if whole.unit == "EUR" and any(_MAYBE_GROUPED.fullmatch(each.text) for each in consumed):
            raise UnreadableError("1.250 € are as many thousands where they are paid")
        if whole.number != number and {"+", "-"} & {token.text for token in consumed[1:]}:
            raise UnreadableError("of 2-3 million only one number is in millions")
        return whole

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
            digits = self.next.text
            self.number()
            parts.append(digits if digits.isdigit() else str(number_of(digits)))
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
        goes_on = self.begins_factor(0) or self.next.text in ("^", "*", "+", "-", "/", "!")
        if goes_on and not (self.in_prose and (self.next.spaced or self.next.text == "!")):
            raise UnreadableError("more than a collection")
        return Side("∪".join(sorted(set(parts))), joined="or" if opening[-1] == "{" else "")

"""Quantities: a number in figures or words, its scale, its unit, and what it counts."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from memory.identity.answers.compound import Part, total
from memory.identity.answers.counted import counted
from memory.identity.answers.exact import UnreadableError, constant, rational
from memory.identity.answers.expression import ExpressionParser
from memory.identity.answers.fraction_words import begins_part, read_added_part, read_part
from memory.identity.answers.number_words import NUMBER_WORDS, SCALE_WORDS, read_number_words
from memory.identity.answers.relation import Side
from memory.identity.answers.units import CODES, SIGNS, read_unit, unit_name

_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9} | {
    "trillion": 10**12, "dozen": 12, "mn": 10**6, "mln": 10**6, "bn": 10**9,
}  # fmt: skip
_SCALES |= {f"{name}s": scale for name, scale in _SCALES.items()}
_PERCENT = frozenset(["percent", "percents", "pct", "prozent", "procent"])
_HUNDRED_ABROAD = {"per": ("cent", "cento"), "pour": ("cent",), "por": ("ciento", "cento")}
_RATES = {"hourly": "h", "daily": "day", "weekly": "week", "monthly": "month", "yearly": "year"} | {
    "annually": "year"
}
_EACH = ("a", "an", "each", "every")
_TIMES = frozenset(["second", "minute", "hour", "day", "week", "month", "year"])
_SHARED_SIGNS = frozenset(["USD", "JPY"])
_COUNTS = re.compile(r"[0-9]|\\pi")
_AFTER_INCHES = frozenset(["long", "wide", "tall", "high", "deep", "thick", "by", "and", "or"])
_BEGINS_UNIT = frozenset(("/", "°", *SIGNS))


class QuantityParser(ExpressionParser):
    """Reads what stands beside a number."""

    @abstractmethod
    def side(self) -> Side:
        """Read one side, with its unit and what it counts."""

    def number_words(self) -> Side | None:
        """Read a number in words with its unit; None where there is none."""
        is_negative = self.takes("-")
        words = [token.text for token in self.tokens[self.at : self.at + 20]]
        is_half_dozen = [word.lower() for word in words[:3]] == ["half", "a", "dozen"]
        if is_half_dozen and not self.in_prose:
            self.at += 3
            return self.with_unit(Side("6", Fraction(6), constant(6)))
        if words[0] in ("a", "A") and (words[1].lower() in SCALE_WORDS or begins_part(words)):
            words[0] = "one"
        if words[0].lower() not in NUMBER_WORDS:
            return None
        value, taken = read_number_words(words)
        if not taken:
            return None
        self.at += taken
        number, more = self._with_part(value, words[taken:])
        self.at += more
        number = -number if is_negative else number
        return self.with_unit(Side(str(number), number, constant(number)))

    def _with_part(self, value: int, words: Sequence[str]) -> tuple[Fraction, int]:
        """A number in words and the part that follows it: two thirds, two and a half."""
        number, taken = read_part(value, words)
        if taken:
            return number, taken
        part, taken = self._added_part(words)
        return value + part, taken

    def _added_part(self, words: Sequence[str]) -> tuple[Fraction, int]:
        """`and a half`: of one, but after `million` or `dozen` of these."""
        part, taken = read_added_part(words)
        if taken and self.tokens[self.at - 1].text.lower() in SCALE_WORDS:
            raise UnreadableError("a part of a million, or of one")
        return part, taken

    def with_unit(self, side: Side) -> Side:
        """Read on from a number: its scale, its unit, and what it counts."""
        if side.number is None and not self.in_prose and not _COUNTS.search(side.key):
            self._check_symbols(side.lone)
        number = self._scaled(side.number) if side.number is not None else None
        if number is not None and number != side.number:
            side = replace(side, number=number, terms=constant(number), key=str(number))
        unit = self._unit() if self.next.kind == "word" or self.next.text in _BEGINS_UNIT else ""
        unit = self._priced(unit) if self.currency else unit
        side = replace(side, unit=unit) if unit else side
        if unit and number is not None and self._is_compound():
            return self._compound(side)
        if not counted(self, side.number):
            return side
        return replace(side, counts=True, unit=side.unit or self._rate())

    def _priced(self, unit: str) -> str:
        """The currency of a sign and what follows: `$40 CAD` are no US dollars."""
        if unit not in CODES or unit == self.currency:
            return self.currency
        if self.currency not in _SHARED_SIGNS:
            raise UnreadableError("two currencies")
        return unit

    def _check_symbols(self, lone: str) -> None:
        """Raise UnreadableError where a letter is no number of things: `a dog`, `C major`."""
        after = self.next
        has_unit = read_unit(self.unit_words())[1] > 0 and lone not in ("a", "A", "I")
        if after.kind == "word" and after.text not in ("or", "and") and not has_unit:
            raise UnreadableError("a letter that begins words")

    def begins_rate(self) -> bool:
        """Whether `per minute` or `weekly` comes next."""
        is_per = self.next.text == "per" and unit_name(self.peek(1).text) is not None
        is_per |= self.next.text in _EACH and self.peek(1).text in _TIMES
        return is_per or self.next.text.lower() in _RATES

    def _rate(self) -> str:
        """Read `per minute` or `weekly`; empty without it."""
        if not self.begins_rate():
            return ""
        of = _RATES.get(self.next.text.lower()) or unit_name(self.peek(1).text)
        self.at += 2 if self.next.text in ("per", *_EACH) else 1
        return f"/{of}"

    def _scaled(self, number: Fraction) -> Fraction:
        """A number with what makes it another: `$5k`, `5 million`, `5 and a half`, `5 percent`."""
        if scale := self.scale():
            self.at += 1
            number *= scale
        while self.next.text.lower() in _SCALES and self.next.kind == "word":
            number *= _SCALES[self.next.text.lower()]
            self.at += 1
        if number.denominator == 1 and self.next.text == "and":
            ahead = [each.text for each in self.tokens[self.at : self.at + 4]]
            part, taken = self._added_part(ahead)
            number, self.at = number + part, self.at + taken
        return number / 100 if self._percent() else number

    def _percent(self) -> bool:
        if self.next.text.lower() in _PERCENT:
            self.at += 1
            return True
        if self.peek(1).text in _HUNDRED_ABROAD.get(self.next.text, ()):
            self.at += 2
            return True
        return False

    def _unit(self) -> str:
        words = self.unit_words()
        is_place = words[0] == "in" and self.peek(1).kind in ("number", "word")
        if self.in_prose and is_place and words[1] not in _AFTER_INCHES:
            return ""  # 5 million in 2020, 5 in Paris
        if not self.currency and (rate := self._rate()):
            return rate
        if self.currency and words and words[0] in ("/", "per"):
            words = words[1:]
            _, taken = read_unit(words)
            self.at += taken + 1 if taken else 0
            return self.currency
        if words[0] == "of" and words[1] in ("a", "an"):
            of = unit_name(words[2])
            self.at += 3 if of else 0
            return of or ""  # 3/4 of an hour
        unit, taken = read_unit(words)
        self.at += taken
        if self.takes("per", "/") if self.currency or unit else False:
            self.at += 1  # 5 dollars per book
        return unit

    def _is_compound(self) -> bool:
        """Whether a smaller unit follows: `3 h 30 min`, `3 hours and 30 minutes`."""
        if self.next.text == "and" and self._begins_part_of_compound(1):
            self.at += 1
        return self._begins_part_of_compound(0)

    def _begins_part_of_compound(self, ahead: int) -> bool:
        """Whether a number follows; in words or after `and`, one with a unit."""
        words = [token.text for token in self.tokens[self.at + ahead : self.at + ahead + 4]]
        _, taken = read_number_words(words)
        is_number = self.peek(ahead).kind == "number" and self.peek(ahead).spaced
        has_unit = unit_name(self.peek(ahead + (taken or 1)).text) is not None
        return (is_number and (ahead == 0 or has_unit)) or (taken > 0 and has_unit)

    def _compound(self, first: Side) -> Side:
        """Read on in `3 h 30 min`."""
        parts: list[Part] = [(first.number or Fraction(0), first.unit)]
        while self._begins_part_of_compound(0) and len(parts) < 4:
            in_words, taken = read_number_words([each.text for each in self.tokens[self.at :][:4]])
            self.at += taken
            value = Fraction(in_words) if taken else rational(self.mixed())
            unit = self._unit()
            if not unit or value is None:
                raise UnreadableError("two numbers in a row")
            parts.append((value, unit))
        if whole := total(parts):
            return Side(str(whole[0]), whole[0], constant(whole[0]), unit=whole[1])
        return Side("+".join(f"{value} {unit}" for value, unit in parts))

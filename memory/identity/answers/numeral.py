"""Numerals: digits, mixed numbers, repeating decimals, powers of ten."""

from __future__ import annotations

import re
from fractions import Fraction

from memory.identity.answers.cursor import Cursor
from memory.identity.answers.exact import (
    Terms,
    UnreadableError,
    constant,
)

_PERIODIC = re.compile(r"([0-9]*\.[0-9]*?)(?:([0-9])\2{2,}|([0-9]{2,12}?)\3+)\Z")
"""A period that is written out: thrice where it is one digit, twice where it is more."""
_REPEATING = re.compile(r"([0-9]*)\.([0-9]*)(?:\\overline\s?\{([0-9]+)\}|\(([0-9]+)\))")


class NumeralParser(Cursor):
    """Reads numbers."""

    def mixed(self) -> Terms:
        """A number, perhaps with a proper fraction after it: 3 1/2, 3\\frac{1}{2}."""
        whole_text = self.next.text
        if (share := self._share()) is not None:
            return share
        value = self.number()
        part = self.fraction_after(whole_text)
        if part is None:
            return value
        self.seen.is_rich = True
        return self.calculator.add(value, constant(part))

    def _share(self) -> Terms | None:
        """The fraction of `1/2%`, which is no 1 / (2%)."""
        above, *rest = (self.peek(ahead) for ahead in range(4))
        if [each.text for each in rest[::2]] != ["/", "%"] or rest[0].spaced or rest[1].spaced:
            return None
        part = _proper(above.text, rest[1].text)
        if part is None:
            return None
        self.at += 3
        self.seen.is_rich = True
        return constant(part)

    def fraction_after(self, whole: str) -> Fraction | None:
        if (self.next.kind != "number" and self.next.text != r"\frac") or not whole.isdigit():
            return None
        texts = [self.peek(ahead).text for ahead in range(7)]
        if self.next.kind == "number" and self.next.spaced and texts[1] == "/":
            part = _proper(texts[0], texts[2])
            if part is None or self.peek(3).text in ("/", "^", "*"):
                raise UnreadableError("two numbers in a row")
            self.at += 3
            return part
        if texts[0] == r"\frac" and texts[1] == texts[4] == "{" and texts[3] == texts[6] == "}":
            part = _proper(texts[2], texts[5])
            if part is None and texts[2].isdigit() and texts[5].isdigit():
                raise UnreadableError("a number beside an improper fraction")
            self.at += 7 if part is not None else 0
            return part
        if texts[0] == r"\frac" and texts[1].isdigit() and texts[2].isdigit():
            part = _proper(texts[1], texts[2])
            if part is None:
                raise UnreadableError("a number beside an improper fraction")
            self.at += 3
            return part
        return None

    def number(self) -> Terms:
        token = self.next
        self.at += 1
        after = [each.text for each in (self.next, self.peek(1)) if not each.spaced]
        if after[:1] == ["…"] or after == [".", "."]:
            return self._going_on(token.text)
        if token.text[-1].isdigit() and not token.text.isdigit() and "e" in token.text.lower():
            return self._scientific(token.text)
        return constant(number_of(token.text))

    def _going_on(self, text: str) -> Terms:
        """Read `0.1666...`, which is 1/6; of `3.14...` nobody knows how it goes on."""
        found = _PERIODIC.fullmatch(text)
        if found is None:
            raise UnreadableError("a number that goes on")
        while not self.next.spaced and self.takes("…", "."):
            pass
        return constant(number_of(f"{found[1]}({found[2] or found[3]})"))

    def _scientific(self, text: str) -> Terms:
        mantissa, _, exponent = text.lower().partition("e")
        ten = self.calculator.power(constant(10), Fraction(int(exponent)))
        self.seen.is_rich = True
        return self.calculator.multiply(constant(number_of(mantissa)), ten)


def number_of(text: str) -> Fraction:
    """The value of a number's digits; `0.1\\overline{6}` is 1/6."""
    text = text.replace(",", "")
    if text.isdigit():
        return Fraction(int(text))
    if text[-1].isdigit():
        return Fraction(text)
    found = _REPEATING.fullmatch(text)
    if found is None:
        return Fraction(text)
    whole, start, period = found[1] or "0", found[2], found[3] or found[4]
    once = int(whole + start)
    twice = int(whole + start + period)
    return Fraction(twice - once, 10 ** len(start) * (10 ** len(period) - 1))


def _proper(above: str, below: str) -> Fraction | None:
    if not (above.isdigit() and below.isdigit() and len(below) < 9):
        return None
    return Fraction(int(above), int(below)) if 0 < int(above) < int(below) else None

"""The grammar of one expression: recursive descent from tokens to an exact value.

    sum     := product (("+" | "-") product)*
    product := factor (("*" | "/" | nothing) factor)*
    factor  := ("-" | "+") factor | postfix ("^" exponent)?
    postfix := primary ("!" | "%")*
    primary := number | symbol | "(" sum ")" | "|" sum "|" | \\frac … | \\sqrt … | \\binom … | sin …

What it cannot read is never read in part: a number beside another number, a letter beside a digit,
products that may not commute, are `UnreadableError`.
"""

from __future__ import annotations

from fractions import Fraction

from memory.identity.answers.collection import closing
from memory.identity.answers.cursor import COMMANDS, MAX_DEPTH, MONEY_SCALES, NAMED, PRICE_SCALES
from memory.identity.answers.exact import (
    Terms,
    UnreadableError,
    atom,
    constant,
    rational,
    spelled,
)
from memory.identity.answers.factorial import COUNTS
from memory.identity.answers.primary import PrimaryParser
from memory.identity.answers.units import AMBIGUOUS, SIGNS, read_unit

_OF_REMARKS = frozenset(["+", "-", "*", "/", "%", r"\times", r"\cdot"])


class ExpressionParser(PrimaryParser):
    """Reads expressions at a position of a list of tokens, which it moves on."""

    def sum(self) -> Terms:
        """Read a sum."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UnreadableError("too deep")
        total = self.product()
        while self.next.text in ("+", "-") and self._goes_on():
            sign, is_range = self.next.text, not self.next.spaced and self.next.text == "-"
            is_range &= self.tokens[self.at - 1].text != "%"
            self.at += 1
            self.seen.operations += 1
            term = self.product()
            if is_range and self.tokens[self.at - 1].text == "%":
                raise UnreadableError("15-20% is a range")
            total = self.calculator.add(
                total, term if sign == "+" else self.calculator.negate(term)
            )
        self.depth -= 1
        return total

    def _goes_on(self) -> bool:
        """Whether a sign joins two terms; a dash of a sentence has space on its right only once."""
        return not (self.in_prose and self.next.text == "-" and not self.begins_factor(1))

    def product(self) -> Terms:
        value = self.factor()
        while True:
            sign = self.next.text
            if sign in ("*", "/", r"\cdot", r"\times"):
                if not self.begins_factor(1):
                    return value
                self.at += 1
                self.seen.operations += 1
                self.seen.divisions += sign == "/"
                right = self.factor()
                if sign == r"\times" and rational(value) is None and rational(right) is None:
                    raise UnreadableError("it may be a product of vectors")
                combine = self.calculator.divide if sign == "/" else self.calculator.multiply
                value = combine(value, right)
            elif self.is_juxtaposed():
                if self._is_code():
                    raise UnreadableError("1F is no F")
                self.seen.is_rich = True
                value = self.calculator.multiply(value, self.factor())
            else:
                return value

    def _is_code(self) -> bool:
        """Whether a 1 and a capital are all there is: a room or hexadecimal, and no formula."""
        is_capital = self.next.kind == "word" and self.next.text.isupper()
        if self.tokens[self.at - 1].text != "1" or not is_capital or self.next.spaced:
            return False
        before = self.tokens[self.at - 2] if self.at > 1 else None
        is_first = before is None or before.kind == "word"
        return is_first and self.peek(1).text in ("", ".", ",")

    def begins_factor(self, ahead: int) -> bool:
        token = self.peek(ahead)
        if token.text in ("-", "+"):
            token = self.peek(ahead + 1)
        is_word = token.kind == "word" and (len(token.text) == 1 or token.text in NAMED)
        if self.in_prose and is_word and token.text in ("a", "I") and self.next.text == "-":
            return False
        opens = token.text in ("(", "{", "[", "|") or token.text in SIGNS
        return token.kind in ("number", "command") or is_word or opens

    def is_juxtaposed(self) -> bool:
        token = self.next
        if token.kind == "number":
            if self.tokens[self.at - 1].text == "!":  # 3!5!
                return True
            raise UnreadableError("a number beside another value")
        if token.kind == "command":
            return token.text[1:] in COMMANDS or token.text in (r"\frac", r"\binom")
        if token.text == "(":
            if token.spaced and self._is_remark():
                return False
            return not (token.spaced and (self.in_prose or self._is_word(1)))
        if token.kind != "word":
            return False
        if len(token.text) > 1:
            return token.text in NAMED
        if token.text == "s" and not token.spaced and len(self.tokens[self.at - 1].text) == 4:
            raise UnreadableError("the 1960s are no number")
        if self.scale():
            return False
        if self.in_prose and token.spaced and (token.text in ("a", "I") or self._is_in_word(1)):
            return False
        if token.spaced and token.text == "a" and self._is_word(1):
            return False  # 5 a day
        return not (token.spaced and self._is_unit())

    def _is_remark(self) -> bool:
        """Whether a bracket repeats a number: `1/2 (0.5)`, `10 (15 - 5)`."""
        end = closing(self.tokens, self.at)
        inner = self.tokens[self.at + 1 : end] if end else ()
        before = self.tokens[self.at - 1].kind
        return (
            bool(inner)
            and before == "number"
            and all(token.kind == "number" or token.text in _OF_REMARKS for token in inner)
        )

    def _is_in_word(self, ahead: int) -> bool:
        """Whether a letter is the beginning of something like `o'clock`."""
        after = self.peek(ahead)
        return after.kind in ("word", "other") and not after.spaced

    def scale(self) -> int:
        """What a letter beside a number or a price multiplies it by; 0 where it is none."""
        scales = PRICE_SCALES if self.currency else MONEY_SCALES if self._is_scaled() else {}
        return scales.get(self.next.text, 0)

    def _is_scaled(self) -> bool:
        """Whether a letter is a thousand, as what is counted follows: `1.2k people`."""
        after = self.peek(1)
        is_scale = self.next.text in MONEY_SCALES and not self.next.spaced
        return is_scale and after.kind == "word" and after.spaced and len(after.text) > 1

    def _is_word(self, ahead: int) -> bool:
        token = self.peek(ahead)
        return token.kind == "word" and len(token.text) > 1 and token.text not in NAMED

    def _is_unit(self) -> bool:
        """Whether a letter after a space is a unit that ends the value: `5 m`, not `5 m + 3`."""
        if self.next.text not in AMBIGUOUS:
            return False
        _, taken = read_unit(self.unit_words())
        after = self.peek(taken)
        follows = after.text in (",", ";", ")", "]", "=", "≈", ".") or after.kind in (
            "end",
            "word",
            "other",
        )
        return taken > 0 and (follows or after.kind == "number")

    def factor(self) -> Terms:
        if self.takes("-"):
            self.depth += 1
            if self.depth > MAX_DEPTH * 2:
                raise UnreadableError("too many signs")
            value = self.calculator.negate(self.factor())
            self.depth -= 1
            return value
        if self.takes("+"):
            return self.factor()
        base = self._postfix()
        if not self.takes("^"):
            return base
        self.seen.is_rich = True
        return self._raised(base, self.exponent())

    def _raised(self, base: Terms, exponent: Terms) -> Terms:
        power = rational(exponent)
        if power is not None:
            return self.calculator.power(base, power)
        negated = self.calculator.negate(exponent)
        if spelled(exponent).startswith("-") and not spelled(negated).startswith("-"):
            opposite = self._raised(base, negated)
            return self.calculator.power(opposite, Fraction(-1))
        return atom(f"({spelled(base)})^({spelled(exponent)})")

    def exponent(self) -> Terms:
        if self.next.text == "{":
            return self.group()
        sign = -1 if self.takes("-") else 1
        if self.next.text == "(":
            value = self.primary()
        elif self.next.kind == "number":
            value = self.number()
        else:
            value = self.primary()
        return value if sign > 0 else self.calculator.negate(value)

    def _postfix(self) -> Terms:
        value = self.primary()
        while True:
            if self.next.text == "!" and self._is_factorial():
                self.at += 1
                self.seen.is_rich = True
                if self.next.text == "!":
                    raise UnreadableError("a double factorial")
                value = self.calculator.factorial(value)
            elif self.next.text == "%" and not self.begins_factor(1):
                self.at += 1
                self.seen.is_rich = True
                value = self.calculator.multiply(value, constant(Fraction(1, 100)))
            else:
                return value

    def _is_factorial(self) -> bool:
        """In a sentence an exclamation mark may end it."""
        before = self.tokens[self.at - 1]
        ends_formula = before.text == ")" or before.text in COUNTS
        if not self.in_prose or (ends_formula and not self.next.spaced):
            return True
        after = self.peek(1)
        begins_sentence = after.kind == "word" and after.text[0].isupper()
        return not (begins_sentence or after.kind in ("end", "other") or after.text == "*")

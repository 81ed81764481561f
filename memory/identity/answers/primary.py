"""What expressions are built from: symbols, brackets, prices, commands, functions, roots."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from memory.identity.answers.cursor import FUNCTIONS, GREEK, NAMED
from memory.identity.answers.exact import (
    Terms,
    UnreadableError,
    atom,
    constant,
    rational,
    spelled,
)
from memory.identity.answers.lexer import Token
from memory.identity.answers.numeral import NumeralParser
from memory.identity.answers.units import CODES, SIGNS
from memory.identity.answers.verbs import STATING

_MAY_BE_FUNCTION = frozenset("fghFG")


_JOINS = frozenset(["+", "-", "*", "/", "^", r"\times", r"\cdot"])


def is_accountants(tokens: Sequence[Token], at: int) -> bool:
    """Whether a price stands alone in brackets, as accountants write what is negative."""
    texts = [token.text for token in tokens[at : at + 4]]
    if len(texts) < 4 or texts[0] != "(" or texts[1] not in SIGNS or texts[3] != ")":
        return False
    before = tokens[at - 1] if at else None
    if before is not None and before.text not in STATING:
        return False
    return tokens[at + 4].text not in _JOINS if at + 4 < len(tokens) else True


class PrimaryParser(NumeralParser):
    """Reads what has no operator outside of brackets."""

    def primary(self) -> Terms:
        token = self.next
        if token.kind == "number":
            return self.mixed()
        if token.kind == "word":
            return self.word()
        if token.text == "(":
            if is_accountants(self.tokens, self.at):
                raise UnreadableError("($200) is a loss of $200")
            self.at += 1
            value = self.sum()
            self.expects(")")
            return value
        if token.text == "{":
            return self.group()
        if token.text == "|":
            return self._absolute()
        if token.text in SIGNS:
            self.at += 1
            self._note_currency(SIGNS[token.text])
            return self.factor() if self.next.text in ("-", "+") else self.primary()
        if token.kind == "command":
            return self.command()
        raise UnreadableError(f"no value begins with {token.text!r}")

    def _note_currency(self, unit: str) -> None:
        if self.currency not in ("", unit):
            raise UnreadableError("two currencies")
        self.currency = unit

    def group(self) -> Terms:
        self.expects("{")
        value = self.sum()
        self.expects("}")
        return value

    def _absolute(self) -> Terms:
        self.expects("|")
        self.seen.is_rich = True
        value = self.sum()
        self.expects("|")
        number = rational(value)
        return atom(f"|{spelled(value)}|") if number is None else constant(abs(number))

    def word(self) -> Terms:
        name = self.next.text
        if name in CODES and self.peek(1).kind == "number":
            self.at += 1
            self._note_currency(name)
            return self.primary()
        if len(name) > 1 and name not in NAMED:
            raise UnreadableError(f"{name} is a word")
        self.seen.is_rich = True
        if name in (FUNCTIONS - {"sec"}) or name == "sqrt":
            return self._function(name)
        self.at += 1
        if name in GREEK or name == "infinity":
            return atom("\\" + ("infty" if name == "infinity" else name))
        return self.symbol(name)

    def symbol(self, name: str) -> Terms:
        self.seen.capitals |= {name} if name.isupper() else set()
        if len(self.seen.capitals) > 1:
            raise UnreadableError("capitals may be matrices, whose products do not commute")
        if self.takes("_"):
            name += "_" + self._subscript()
        elif name == "C" and [self.peek(at).kind for at in (1, 3)] == ["number"] * 2:
            return self._combinations()
        elif name == "P" and self.next.text == "(" and not self.next.spaced:
            return atom(f"P({self._event()})")
        elif self.next.text == "(" and name in _MAY_BE_FUNCTION and not self.next.spaced:
            return atom(f"{name}({self._arguments()})")
        return atom(name)

    def _event(self) -> str:
        """The inside of `P(A)`, as it is written: it names what the probability is of."""
        self.expects("(")
        self.seen.capitals = frozenset()
        start = self.at
        while self.next.text not in (")", "(") and self.next.kind != "end":
            self.at += 1
        event = "".join(token.text for token in self.tokens[start : self.at])
        self.expects(")")
        return event

    def _combinations(self) -> Terms:
        """Read the rest of `C(5, 2)`."""
        self.expects("(")
        above = self.number()
        self.expects(",")
        below = self.number()
        self.expects(")")
        return self._binomial(above, below)

    def _subscript(self) -> str:
        parts: list[str] = []
        if self.takes("{"):
            while self.next.text != "}" and self.next.kind != "end" and len(parts) < 8:
                parts.append(self.next.text)
                self.at += 1
            self.expects("}")
        elif self.next.kind in ("number", "word"):
            parts.append(self.next.text)
            self.at += 1
        if not parts:
            raise UnreadableError("no subscript")
        return "".join(parts)

    def _arguments(self) -> str:
        self.expects("(")
        found = [spelled(self.sum())]
        while self.takes(","):
            found.append(spelled(self.sum()))
        self.expects(")")
        return ",".join(found)

    def command(self) -> Terms:
        name = self.next.text[1:]
        self.seen.is_rich = True
        if name in FUNCTIONS or name == "sqrt":
            return self._function(name)
        self.at += 1
        if name == "frac":
            above, below = self.argument(), self.argument()
            return self.calculator.divide(above, below)
        if name == "binom":
            return self._binomial(self.argument(), self.argument())
        if name in GREEK:
            return atom("\\" + name) if name in ("pi", "infty") else self.symbol("\\" + name)
        raise UnreadableError(f"\\{name} is not known")

    def argument(self) -> Terms:
        """What a command is given: a group, a command, or a single character."""
        token = self.next
        if token.text == "{":
            return self.group()
        if token.kind == "command":
            return self.command()
        if token.kind == "number" and token.text.isdigit():
            return self.number()
        if token.kind == "word" and len(token.text) == 1:
            return self.word()
        raise UnreadableError("no argument")

    def _binomial(self, above: Terms, below: Terms) -> Terms:
        n, k = rational(above), rational(below)
        if (
            n is None
            or k is None
            or n.denominator > 1
            or k.denominator > 1
            or not 0 <= k <= n <= 300
        ):
            return atom(f"binom({spelled(above)},{spelled(below)})")
        result = Fraction(1)
        for step in range(int(k)):
            result = result * (n - step) / (step + 1)
        return constant(result)

    def _function(self, name: str) -> Terms:
        is_command = self.next.kind == "command"
        self.at += 1
        if name == "sqrt":
            return self._root(is_command=is_command)
        base, power = "", None
        for _ in range(2):
            if self.takes("_"):
                base = "_" + spelled(self.exponent())
            elif self.takes("^"):
                power = rational(self.exponent())
        argument = spelled(self._function_argument())
        if power is not None and power > 0:
            return self.calculator.power(atom(f"{name}{base}({argument})"), power)
        return atom(f"{name}{base}{'' if power is None else f'^{power}'}({argument})")

    def _function_argument(self) -> Terms:
        if self.next.text in ("(", "{"):
            return self.primary()
        value = self.factor()
        while self.next.kind in ("word", "command") and self.is_juxtaposed():
            if self.next.text.lstrip("\\") in FUNCTIONS:
                break
            value = self.calculator.multiply(value, self.factor())
        return value

    def _root(self, *, is_command: bool) -> Terms:
        degree = Fraction(2)
        if is_command and self.takes("["):
            number = rational(self.sum())
            self.expects("]")
            if number is None or number.denominator > 1 or not 2 <= number <= 12:
                raise UnreadableError("no root of that degree")
            degree = number
        if self.next.text in ("{", "("):
            value = self.primary()
        elif self.next.kind == "number":
            value = self.number()
        else:
            value = self.argument()
        return self.calculator.power(value, 1 / degree)

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

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from memory.identity.answers.exact import (
    Calculator,
    Terms,
    UnreadableError,
    atom,
    constant,
    rational,
    spelled,
)
from memory.identity.answers.lexer import Token
from memory.identity.answers.units import AMBIGUOUS, CODES, SIGNS, read_unit
from memory.identity.answers.words import words

MAX_DEPTH = 12
_GREEK = words("""alpha beta gamma delta epsilon theta lambda mu sigma phi omega rho tau Delta Omega infty
pi""")
_FUNCTIONS = frozenset(
    words("""sin cos tan cot sec csc arcsin arccos arctan ln log exp sinh cosh""")
)
_NAMED = frozenset(_FUNCTIONS | set(_GREEK) | {"sqrt", "infinity"}) - {"sec", "infty"}
"""Words that are read as their commands; a `sec` is a second."""
_COMMANDS = frozenset(_FUNCTIONS | set(_GREEK) | {"sqrt"})
_MAY_BE_FUNCTION = frozenset("fghFG")
MONEY_SCALES = {"k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "bn": 10**9, "T": 10**12}
_REPEATING = re.compile(r"([0-9]*)\.([0-9]*)(?:\\overline\s?\{([0-9]+)\}|\(([0-9]+)\))")
_AFTER = (Token("end", "", -1, -1, True),) * 16
"""After the last token, so that looking ahead needs no bounds."""


@dataclass
class _Seen:
    """What an expression is made of, as far as it decides how it is compared."""

    operations: int = 0
    """Plain +, -, * and / that are written out."""
    divisions: int = 0
    is_rich: bool = False
    """Whether there is more than plain numbers and plain operations."""
    capitals: frozenset[str] = frozenset()


class ExpressionParser:
    """Reads expressions at a position of a list of tokens, which it moves on."""

    def __init__(self, tokens: Sequence[Token], *, in_prose: bool = False) -> None:
        self.tokens = (*tokens, *_AFTER)
        self.at = 0
        self.in_prose = in_prose
        """Then `a` and `I` are words."""
        self.max_words = 4
        """Of what is counted."""
        self.leads = False
        """Whether a word and `=` stand before it, to which all it says leads."""
        self.seen = _Seen()
        self.currency = ""
        self.calculator = Calculator()
        self._depth = 0

    @property
    def next(self) -> Token:
        """The token that comes next."""
        return self.tokens[self.at]

    def peek(self, ahead: int) -> Token:
        """A token further on."""
        return self.tokens[self.at + ahead]

    def takes(self, *texts: str) -> bool:
        """Move on if the next token is one of `texts`."""
        if self.tokens[self.at].text in texts:
            self.at += 1
            return True
        return False

    def expects(self, text: str) -> None:
        """Move over `text`, which must come."""
        if not self.takes(text):
            raise UnreadableError(f"{text} is missing")

    def sum(self) -> Terms:
        """Read a sum."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UnreadableError("too deep")
        total = self._product()
        while self.next.text in ("+", "-") and self._goes_on():
            sign = self.next.text
            self.at += 1
            self.seen.operations += 1
            term = self._product()
            total = self.calculator.add(
                total, term if sign == "+" else self.calculator.negate(term)
            )
        self._depth -= 1
        return total

    def _goes_on(self) -> bool:
        """Whether a sign joins two terms; a dash of a sentence has space on its right only once."""
        return not (self.in_prose and self.next.text == "-" and not self._begins_factor(1))

    def _product(self) -> Terms:
        value = self._factor()
        while True:
            sign = self.next.text
            if sign in ("*", "/", r"\cdot", r"\times"):
                if not self._begins_factor(1):
                    return value
                self.at += 1
                self.seen.operations += 1
                self.seen.divisions += sign == "/"
                right = self._factor()
                if sign == r"\times" and rational(value) is None and rational(right) is None:
                    raise UnreadableError("it may be a product of vectors")
                combine = self.calculator.divide if sign == "/" else self.calculator.multiply
                value = combine(value, right)
            elif self._is_juxtaposed():
                self.seen.is_rich = True
                value = self.calculator.multiply(value, self._factor())
            else:
                return value

    def _begins_factor(self, ahead: int) -> bool:
        token = self.peek(ahead)
        if token.text in ("-", "+"):
            token = self.peek(ahead + 1)
        is_word = token.kind == "word" and (len(token.text) == 1 or token.text in _NAMED)
        if self.in_prose and is_word and token.text in ("a", "I") and self.next.text == "-":
            return False
        opens = token.text in ("(", "{", "[", "|") or token.text in SIGNS
        return token.kind in ("number", "command") or is_word or opens

    def _is_juxtaposed(self) -> bool:
        token = self.next
        if token.kind == "number":
            raise UnreadableError("a number beside another value")
        if token.kind == "command":
            return token.text[1:] in _COMMANDS or token.text in (r"\frac", r"\binom")
        if token.text == "(":
            if token.spaced and self.peek(1).kind == "number" and self.peek(2).text in (")", "%"):
                return False  # a remark: 1/2 (0.5)
            return not (token.spaced and (self.in_prose or self._is_word(1)))
        if token.kind != "word":
            return False
        if len(token.text) > 1:
            return token.text in _NAMED
        if token.text in MONEY_SCALES and (self.currency or self.is_scaled()):
            return False
        if self.in_prose and token.spaced and (token.text in ("a", "I") or self._is_in_word(1)):
            return False
        return not (token.spaced and self._is_unit())

    def _is_in_word(self, ahead: int) -> bool:
        """Whether a letter is the beginning of something like `o'clock`."""
        after = self.peek(ahead)
        return after.kind in ("word", "other") and not after.spaced

    def is_scaled(self) -> bool:
        """Whether a letter is a thousand or a million, as what is counted follows: `1.2k people`."""
        after = self.peek(1)
        is_scale = self.next.text in MONEY_SCALES and not self.next.spaced
        return is_scale and after.kind == "word" and after.spaced and len(after.text) > 1

    def _is_word(self, ahead: int) -> bool:
        token = self.peek(ahead)
        return token.kind == "word" and len(token.text) > 1 and token.text not in _NAMED

    def _is_unit(self) -> bool:
        """Whether a letter after a space is a unit that ends the value: `5 m`, but not `5 m + 3`."""
        if self.next.text not in AMBIGUOUS:
            return False
        words = [token.text for token in self.tokens[self.at : self.at + 12]]
        _, taken = read_unit(words)
        after = self.peek(taken)
        follows = after.text in (",", ";", ")", "]", "=", "≈", ".") or after.kind in (
            "end",
            "word",
            "other",
        )
        return taken > 0 and (follows or after.kind == "number")

    def _factor(self) -> Terms:
        if self.takes("-"):
            self._depth += 1
            if self._depth > MAX_DEPTH * 2:
                raise UnreadableError("too many signs")
            value = self.calculator.negate(self._factor())
            self._depth -= 1
            return value
        if self.takes("+"):
            return self._factor()
        base = self._postfix()
        if not self.takes("^"):
            return base
        self.seen.is_rich = True
        return self._raised(base, self._exponent())

    def _raised(self, base: Terms, exponent: Terms) -> Terms:
        power = rational(exponent)
        if power is not None:
            return self.calculator.power(base, power)
        negated = self.calculator.negate(exponent)
        if spelled(exponent).startswith("-") and not spelled(negated).startswith("-"):
            opposite = self._raised(base, negated)
            return self.calculator.power(opposite, Fraction(-1))
        return atom(f"({spelled(base)})^({spelled(exponent)})")

    def _exponent(self) -> Terms:
        if self.next.text == "{":
            return self._group()
        sign = -1 if self.takes("-") else 1
        if self.next.text == "(":
            value = self._primary()
        elif self.next.kind == "number":
            value = self._number()
        else:
            value = self._primary()
        return value if sign > 0 else self.calculator.negate(value)

    def _postfix(self) -> Terms:
        value = self._primary()
        while True:
            if self.next.text == "!" and self._is_factorial():
                self.at += 1
                self.seen.is_rich = True
                if self.next.text == "!":
                    raise UnreadableError("a double factorial")
                value = self.calculator.factorial(value)
            elif self.next.text == "%" and not self._begins_factor(1):
                self.at += 1
                self.seen.is_rich = True
                value = self.calculator.multiply(value, constant(Fraction(1, 100)))
            else:
                return value

    def _is_factorial(self) -> bool:
        """In a sentence an exclamation mark may end it."""
        if not self.in_prose:
            return True
        after = self.peek(1)
        begins_sentence = after.kind == "word" and after.text[0].isupper()
        return not (begins_sentence or after.kind in ("end", "other") or after.text == "*")

    def _primary(self) -> Terms:
        token = self.next
        if token.kind == "number":
            return self._mixed()
        if token.kind == "word":
            return self._word()
        if token.text == "(":
            self.at += 1
            value = self.sum()
            self.expects(")")
            return value
        if token.text == "{":
            return self._group()
        if token.text == "|":
            return self._absolute()
        if token.text in SIGNS:
            self.at += 1
            self._note_currency(SIGNS[token.text])
            return self._factor() if self.next.text in ("-", "+") else self._primary()
        if token.kind == "command":
            return self._command()
        raise UnreadableError(f"no value begins with {token.text!r}")

    def _note_currency(self, unit: str) -> None:
        if self.currency not in ("", unit):
            raise UnreadableError("two currencies")
        self.currency = unit

    def _group(self) -> Terms:
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

    def _mixed(self) -> Terms:
        """A number, perhaps with a proper fraction after it: 3 1/2, 3\\frac{1}{2}."""
        whole_text = self.next.text
        value = self._number()
        part = self._fraction_after(whole_text)
        if part is None:
            return value
        self.seen.is_rich = True
        return self.calculator.add(value, constant(part))

    def _fraction_after(self, whole: str) -> Fraction | None:
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

    def _number(self) -> Terms:
        token = self.next
        self.at += 1
        if self.next.text in (".", "…") and not self.next.spaced and self.peek(1).text in (".", ""):
            if self.next.text == "…" or (self.peek(1).text == "." and not self.peek(1).spaced):
                raise UnreadableError("a number that goes on")
        if token.text[-1].isdigit() and not token.text.isdigit() and "e" in token.text.lower():
            return self._scientific(token.text)
        return constant(number_of(token.text))

    def _scientific(self, text: str) -> Terms:
        mantissa, _, exponent = text.lower().partition("e")
        ten = self.calculator.power(constant(10), Fraction(int(exponent)))
        self.seen.is_rich = True
        return self.calculator.multiply(constant(number_of(mantissa)), ten)

    def _word(self) -> Terms:
        name = self.next.text
        if name in CODES and self.peek(1).kind == "number":
            self.at += 1
            self._note_currency(name)
            return self._primary()
        if len(name) > 1 and name not in _NAMED:
            raise UnreadableError(f"{name} is a word")
        self.seen.is_rich = True
        if name in (_FUNCTIONS - {"sec"}) or name == "sqrt":
            return self._function(name)
        self.at += 1
        if name in _GREEK or name == "infinity":
            return atom("\\" + ("infty" if name == "infinity" else name))
        return self._symbol(name)

    def _symbol(self, name: str) -> Terms:
        self.seen.capitals |= {name} if name.isupper() else set()
        if len(self.seen.capitals) > 1:
            raise UnreadableError("capitals may be matrices, whose products do not commute")
        if self.takes("_"):
            name += "_" + self._subscript()
        elif self.next.text == "(" and name in _MAY_BE_FUNCTION and not self.next.spaced:
            return atom(f"{name}({self._arguments()})")
        return atom(name)

    def _subscript(self) -> str:
        parts = []
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

    def _command(self) -> Terms:
        name = self.next.text[1:]
        self.seen.is_rich = True
        if name in _FUNCTIONS or name == "sqrt":
            return self._function(name)
        self.at += 1
        if name == "frac":
            above, below = self._argument(), self._argument()
            return self.calculator.divide(above, below)
        if name == "binom":
            return self._binomial(self._argument(), self._argument())
        if name in _GREEK:
            return atom("\\" + name) if name in ("pi", "infty") else self._symbol("\\" + name)
        raise UnreadableError(f"\\{name} is not known")

    def _argument(self) -> Terms:
        """What a command is given: a group, a command, or a single character."""
        token = self.next
        if token.text == "{":
            return self._group()
        if token.kind == "command":
            return self._command()
        if token.kind == "number" and token.text.isdigit():
            return self._number()
        if token.kind == "word" and len(token.text) == 1:
            return self._word()
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
                base = "_" + spelled(self._exponent())
            elif self.takes("^"):
                power = rational(self._exponent())
        argument = spelled(self._function_argument())
        if power is not None and power > 0:
            return self.calculator.power(atom(f"{name}{base}({argument})"), power)
        return atom(f"{name}{base}{'' if power is None else f'^{power}'}({argument})")

    def _function_argument(self) -> Terms:
        if self.next.text in ("(", "{"):
            return self._primary()
        value = self._factor()
        while self.next.kind in ("word", "command") and self._is_juxtaposed():
            if self.next.text.lstrip("\\") in _FUNCTIONS:
                break
            value = self.calculator.multiply(value, self._factor())
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
            value = self._primary()
        elif self.next.kind == "number":
            value = self._number()
        else:
            value = self._argument()
        return self.calculator.power(value, 1 / degree)


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

"""The formula of a multi grader: `0.7 * accuracy + 0.3 * max(style, 0)`, without `eval`.

Precedence climbing (Richards, 1979) over numbers, names, `+ - * / ^`, parentheses and a few
functions. Every value is a float; one that is not finite is no score.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from adaptation.grading.errors import Fault, GradingError

Names = Mapping[str, float]
Value = Callable[[Names], float]
MOST_DEEP = 50
MOST_OPERATIONS = 100
_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|([A-Za-z_]\w*)|(\*\*|[-+*/^(),]))")
_BINARY: Mapping[str, tuple[int, Callable[[float, float], float]]] = MappingProxyType(
    {
        "+": (1, lambda a, b: a + b),
        "-": (1, lambda a, b: a - b),
        "*": (2, lambda a, b: a * b),
        "/": (2, lambda a, b: a / b),
        "^": (4, math.pow),
    }
)
_UNARY = 3
"""Binds closer than `*`, and not as close as `^`: -2 ^ 2 is -4."""
FUNCTIONS: Mapping[str, tuple[Callable[..., float], bool]] = MappingProxyType(
    {
        "min": (min, True),
        "max": (max, True),
        "abs": (abs, False),
        "floor": (math.floor, False),
        "ceil": (math.ceil, False),
        "exp": (math.exp, False),
        "sqrt": (math.sqrt, False),
        "log": (math.log, False),
    }
)
"""Each with whether it takes several values."""


class Formula:
    """A formula that was understood."""

    def __init__(self, text: str) -> None:
        """Raises `GradingError` where it is none."""
        self._tokens, self._place = [*_tokens(text)], 0
        self._deep = self._operations = 0
        self.names = frozenset[str]()
        """What it needs the scores of."""
        self._value = self._expression(1)
        if self._next is not None:
            raise _wrong(f"{self._next!r} is one too many")

    def __call__(self, names: Names) -> float:
        """Return the value; raises `GradingError` where it is no finite number."""
        try:
            value = float(self._value(names))
        except (ArithmeticError, ValueError) as error:
            raise _wrong(f"it has no value here: {error}") from error
        if not math.isfinite(value):
            raise _wrong("its value is not finite")
        return value

    @property
    def _next(self) -> str | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def _take(self, wanted: str | None = None) -> str:
        token = self._next
        if token is None or (wanted is not None and token != wanted):
            raise _wrong(f"{wanted or 'a value'} is missing")
        self._place += 1
        return token

    def _expression(self, least: int) -> Value:
        self._deep += 1
        if self._deep > MOST_DEEP:
            raise _wrong(f"it nests more than {MOST_DEEP} deep")
        left = self._operand()
        while (token := self._next) in _BINARY and _BINARY[str(token)][0] >= least:
            self._operations += 1
            if self._operations > MOST_OPERATIONS:
                raise _wrong(f"it has more than {MOST_OPERATIONS} operations")
            power, operation = _BINARY[self._take()]
            right = self._expression(power + (token != "^"))  # a ^ b ^ c is a ^ (b ^ c)
            left = _applied(operation, left, right)
        self._deep -= 1
        return left

    def _operand(self) -> Value:
        token = self._take()
        if token in "+-":
            value = self._expression(_UNARY)
            return value if token == "+" else _applied(lambda x: -x, value)
        if token == "(":
            value = self._expression(1)
            self._take(")")
            return value
        if token[0].isdigit() or token[0] == ".":
            number = float(token)
            return lambda _: number
        if not token[0].isalpha() and token[0] != "_":
            raise _wrong(f"{token!r} stands where a value should")
        return self._called(token) if self._next == "(" else self._named(token)

    def _named(self, name: str) -> Value:
        self.names |= {name}
        return lambda names: names[name]

    def _called(self, name: str) -> Value:
        if name not in FUNCTIONS:
            raise _wrong(f"there is no function {name}: there are {', '.join(FUNCTIONS)}")
        self._take("(")
        values = [self._expression(1)]
        while self._next == ",":
            self._take()
            values.append(self._expression(1))
        self._take(")")
        function, takes_several = FUNCTIONS[name]
        if takes_several == (len(values) == 1):
            raise _wrong(f"{name} takes {'two or more values' if takes_several else 'one value'}")
        return _applied(function, *values)


def _applied(function: Callable[..., float], *values: Value) -> Value:
    return lambda names: function(*(value(names) for value in values))


def _tokens(text: str) -> Iterator[str]:
    place, text = 0, text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _wrong(f"{text[place:].strip()[:20]!r} is not understood")
        place = match.end()
        yield "^" if match[3] == "**" else match[1] or match[2] or match[3]


def _wrong(what: str) -> GradingError:
    return GradingError(Fault.FORMULA_PARSE, f"the formula is wrong: {what}")

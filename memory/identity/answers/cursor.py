"""A place in a list of tokens, and what the expression there is made of.

Owns the words of the grammar. Its methods leave reading sums to `ExpressionParser`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from memory.identity.answers.exact import (
    Calculator,
    Terms,
    UnreadableError,
)
from memory.identity.answers.lexer import Token
from memory.identity.answers.words import words

MAX_DEPTH = 12
GREEK = words(
    """alpha beta gamma delta epsilon theta lambda mu sigma phi omega rho tau Delta Omega
        infty pi"""
)
FUNCTIONS = frozenset(words("sin cos tan cot sec csc arcsin arccos arctan ln log exp sinh cosh"))
NAMED = frozenset(FUNCTIONS | set(GREEK) | {"sqrt", "infinity"}) - {"sec", "infty"}
"""Words that are read as their commands; a `sec` is a second."""
COMMANDS = frozenset(FUNCTIONS | set(GREEK) | {"sqrt"})
_IN_UNITS = {r"\cdot": "*", r"\times": "*"}
MONEY_SCALES = {"k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "bn": 10**9, "T": 10**12}
PRICE_SCALES = MONEY_SCALES | {"m": 10**6, "mm": 10**6, "b": 10**9}
"""After a currency, where no metre can follow: `$3.5 m`."""
_AFTER = (Token("end", "", -1, -1, True),) * 16
"""After the last token, so that looking ahead needs no bounds."""


@dataclass
class Seen:
    """What an expression is made of, as far as it decides how it is compared."""

    operations: int = 0
    """Plain +, -, * and / that are written out."""
    divisions: int = 0
    is_rich: bool = False
    """Whether there is more than plain numbers and plain operations."""
    capitals: frozenset[str] = frozenset()


class Cursor(ABC):
    """Moves over tokens."""

    def __init__(self, tokens: Sequence[Token], *, in_prose: bool = False) -> None:
        self.tokens = (*tokens, *_AFTER)
        self.at = 0
        self.in_prose = in_prose
        """Then `a` and `I` are words."""
        self.max_words = 4
        """Most words of what is counted."""
        self.leads = False
        """Whether a word and `=` stand before it, to which all it says leads."""
        self.seen = Seen()
        self.currency = ""
        self.calculator = Calculator()
        self.depth = 0

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

    def unit_words(self) -> list[str]:
        """What comes next, as a unit would be written."""
        return [_IN_UNITS.get(each.text, each.text) for each in self.tokens[self.at : self.at + 12]]

    @abstractmethod
    def sum(self) -> Terms:
        """Read a sum."""

    @abstractmethod
    def factor(self) -> Terms:
        """Read a factor."""

    @abstractmethod
    def exponent(self) -> Terms:
        """Read what stands after `^`."""

    @abstractmethod
    def is_juxtaposed(self) -> bool:
        """Whether a factor follows without a sign."""

"""Keys of answers: equal keys are equal answers; and what of one set of answers is one.

A key is a value, perhaps with its unit and the symbol it is of: `5 km`, `5 m` and `5` are three
keys, as are `x = 3`, `y = 3` and `3`. So equality is reflexive, symmetric and transitive.

A set of answers to one question (the samples of a vote, an answer and its reference) has one more
rule. Where all values with a unit have the same unit, a bare value joins them: the question has one
unit, and a value without a unit means that one. Where two units are named, the bare value is
ambiguous and stays alone. The same holds for symbols. The rule is one of the whole set: the order
of the members does not matter, and two members alone are not made equal by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

_MARK = "\0of\0"
"""No text that is read begins with it."""


class Named(NamedTuple):
    """A key in its parts."""

    value: str
    unit: str = ""
    symbol: str = ""

    @property
    def key(self) -> str:
        """The whole key; a bare value is its own."""
        if not self.unit and not self.symbol:
            return self.value
        return f"{_MARK}{self.unit}\0{self.symbol}\0{self.value}"


def parts(key: str) -> Named:
    """Take a key apart."""
    if not key.startswith(_MARK):
        return Named(key)
    unit, symbol, value = key[len(_MARK) :].split("\0", 2)
    return Named(value, unit, symbol)


class Joins:
    """Which keys of a growing set are one answer."""

    def __init__(self) -> None:
        self._units: dict[str, set[str]] = {}
        self._symbols: dict[str, set[str]] = {}

    def add(self, key: str) -> bool:
        """Take note of a key; whether others that were joined are not any more."""
        value, unit, symbol = parts(key)
        return _noted(self._units, value, unit) | _noted(self._symbols, value, symbol)

    def group(self, key: str) -> str:
        """The key of the answer that `key` counts for in this set."""
        value, unit, symbol = parts(key)
        unit = unit if len(self._units.get(value, ())) > 1 else ""
        symbol = symbol if len(self._symbols.get(value, ())) > 1 else ""
        return Named(value, unit, symbol).key


def joined(keys: Iterable[str]) -> dict[str, str]:
    """Map each key to the key of its answer in this set."""
    joins, keys = Joins(), list(keys)
    for key in keys:
        joins.add(key)
    return {key: joins.group(key) for key in keys}


def agree(key: str, reference: str) -> bool:
    """Whether two answers to one question are one, as the set of these two."""
    return key == reference or len(set(joined((key, reference)).values())) == 1


def _noted(names: dict[str, set[str]], value: str, name: str) -> bool:
    if not name:
        return False
    known = names.setdefault(value, set())
    is_new = name not in known
    known.add(name)
    return is_new and len(known) == 2

"""Values in two units: `1 hour 30 minutes` are 90 minutes, `6 ft 2 in` are 74 inches."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

_SMALLER = {
    ("week", "day"): 7, ("day", "h"): 24, ("h", "min"): 60, ("min", "s"): 60, ("year", "month"): 12,
    ("mi", "yd"): 1760, ("yd", "ft"): 3, ("ft", "in"): 12, ("lb", "oz"): 16,
    ("km", "m"): 1000, ("m", "cm"): 100, ("cm", "mm"): 10, ("kg", "g"): 1000, ("L", "mL"): 1000,
    ("USD", "cent"): 100, ("EUR", "cent"): 100, ("GBP", "cent"): 100,
}  # fmt: skip
_BY_SIZE = ("USD", "EUR", "GBP")
"""Currencies: `$3 and 50 cents` are $3.50, as everybody writes it."""

Part = tuple[Fraction, str]
"""A number and its unit."""


def total(parts: Sequence[Part]) -> Part | None:
    """The sum in the smallest of the units (of money, in the currency); None of units apart."""
    factors = [_SMALLER.get((larger, smaller)) for (_, larger), (_, smaller) in pairwise(parts)]
    value = parts[0][0]
    scale = 1
    for factor, (number, _) in zip(factors, parts[1:], strict=True):
        if factor is None or not 0 <= number < factor:
            return None
        value, scale = value * factor + number, scale * factor
    if parts[0][1] in _BY_SIZE:
        return value / scale, parts[0][1]
    return value, parts[-1][1]

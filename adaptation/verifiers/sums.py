"""Whether the sums that a text states come to what it says: evidence that needs no reference."""

from __future__ import annotations

import re
from fractions import Fraction

from memory.identity.answers.arithmetic import value_and_numbers

_STATED = re.compile(r"(?<![\w.,=])([(\d][\d+*/() -]{2,80}?)\s*=\s*(-?\d{1,30})(?![\d.,]*\d)")


def wrong_sums(text: str) -> list[str] | None:
    """Return the stated sums that are wrong, such as `2+2=5`; None where none is stated."""
    stated = [
        (sum_, value[0], Fraction(claimed))
        for sum_, claimed in _STATED.findall(text)
        if (value := value_and_numbers(sum_)) is not None and value[1].total() > 1
    ]
    if not stated:
        return None
    return [f"{sum_.strip()}={claimed}" for sum_, value, claimed in stated if value != claimed]

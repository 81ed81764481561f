"""The process of `algebra`: `python -m adaptation.algebra_worker`.

Reads lines of JSON, a time limit in seconds, a formula and the ones it may equal, and replies with
the place of the first that does.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

from math_verify import LatexExtractionConfig, parse, verify

from adaptation.workers.worker_loop import read_line, serve, time_limit

DIGITS = 15
"""A decimal equals a formula if all of its digits do: 0.333 is no third."""


RELATIVE = 1e-9
"""How far two numbers may differ that are one: a decimal of ten digits is none of more."""


def main() -> None:
    """Compare until stdin ends."""
    logging.disable()  # math-verify warns that its own time limits are off; ours kills
    _equal("x+1", "1+x")  # the first takes longest: no question's time is spent on it
    serve(read_line, _found)


def _found(question: tuple[float, str, list[str]]) -> int | None:
    seconds, formula, others = question
    with time_limit(seconds):
        return next((i for i, other in enumerate(others) if _equal(formula, other)), None)


def _equal(one: str, other: str) -> bool:
    """Whether both are formulas and equal, whichever of them is taken for the reference."""
    left, right = _parsed(one), _parsed(other)
    if not (left and right) or _differ_in_size(left[0], right[0]):
        return False
    return _verified(left, right) and _verified(right, left)


def _differ_in_size(one: Any, other: Any) -> bool:
    """Whether both are numbers and not one: math-verify rounds 10⁻²⁰π and 10⁻²¹π to nothing."""
    if not (getattr(one, "is_number", False) and getattr(other, "is_number", False)):
        return False
    left, right = one.evalf(2 * DIGITS), other.evalf(2 * DIGITS)
    return bool(abs(left - right) > max(abs(left), abs(right)) * RELATIVE)


def _verified(gold: Any, target: Any) -> bool:
    equal: bool = verify(gold, target, float_rounding=DIGITS, strict=True, timeout_seconds=None)
    return equal


@lru_cache(maxsize=256)
def _parsed(formula: str) -> Any:
    return parse(f"${formula}$", [LatexExtractionConfig()], parsing_timeout=None)


if __name__ == "__main__":
    main()

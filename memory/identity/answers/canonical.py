"""The one spelling of an answer, and when two answers are the same."""

from __future__ import annotations

import re

from memory.identity.answers.arithmetic import canonical_arithmetic
from memory.identity.answers.equation import assigned
from memory.identity.answers.fold import MAX_VALUE_CHARS, fold_expression, fold_prose
from memory.identity.answers.json_value import canonical_json
from memory.identity.answers.quantity import parse_quantity

_LETTER = re.compile(r"\(?([A-Ja-j])\)")


def canonical(text: str) -> str:
    """Return the key of an answer text; never raises.

    JSON objects and arrays by value, numbers as exact fractions without their unit, arithmetic by
    its value and its numbers (`canonical_arithmetic`), `(B)` as `b`, `x = 2y + 1` as its right side
    (but `f(x) = x` as it stands), anything else by its spelling without case and decoration.
    """
    stripped = text.strip()
    if stripped[:1] in ("{", "["):
        value = canonical_json(stripped)
        if value is not None:
            return value
    if len(stripped) > MAX_VALUE_CHARS:
        return fold_prose(stripped)
    quantity = parse_quantity(stripped)
    if quantity is not None:
        return str(quantity.value)
    folded = fold_expression(stripped)
    value = assigned(folded)
    if value is not None:
        return canonical(value)
    letter = _LETTER.fullmatch(folded)
    folded = letter[1] if letter else folded
    return canonical_arithmetic(folded) or folded.strip().casefold()


def same_answer(a: str, b: str) -> bool:
    """Whether two answer texts mean the same; never raises.

    Stricter than equal keys in one point: `5 km` and `5 m` share a key, since samples of one
    question share their unit, but are not the same answer. A missing unit agrees with any, so this
    is no equivalence relation: `5` is the same as both of them.
    """
    left, right = parse_quantity(a), parse_quantity(b)
    if left is not None and right is not None:
        return left.agrees(right)
    return canonical(a) == canonical(b)

"""Arithmetic expressions of whole numbers: `(3+4)*2` and `2*(4+3)` are one answer.

Two expressions are the same when they make the same value of the same numbers, so what merges is
always equal. A bare number stays apart: who asks for an expression does not want its value. So do
a single operation and a row of equal ones, which may mean something else: `2 × 3` is a shape as
well, `10+5` a time control, `2024-11-21` a date.
"""

from __future__ import annotations

import ast
import operator
import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction

_EXPRESSION = re.compile(r"[0-9+*/() -]{1,200}")
_SIGNS = re.compile(r"[-+*/]")
_OPERATIONS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def canonical_arithmetic(text: str) -> str | None:
    """The key of an expression with two different operations, or several and brackets; else None.

    It begins with a character that no reading of a text yields.
    """
    signs = _SIGNS.findall(text)
    if len(set(signs)) < 2 and not (len(signs) > 1 and "(" in text):
        return None
    found = value_and_numbers(text)
    if found is None:
        return None
    value, numbers = found
    return f"\0{value} of {','.join(map(str, sorted(numbers.elements())))}"


def value_and_numbers(expression: str) -> tuple[Fraction, Counter[int]] | None:
    """What an expression comes to and the numbers in it; None unless it is plain +, -, * and /."""
    if not _EXPRESSION.fullmatch(expression):
        return None
    numbers: Counter[int] = Counter()
    try:
        value = _evaluated(ast.parse(expression.strip(), mode="eval").body, numbers)
    except (SyntaxError, ValueError, ZeroDivisionError, MemoryError, RecursionError):
        return None
    return value, numbers


def _evaluated(node: ast.expr, numbers: Counter[int]) -> Fraction:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        numbers[node.value] += 1
        return Fraction(node.value)
    if isinstance(node, ast.BinOp) and (apply := _OPERATIONS.get(type(node.op))):
        return apply(_evaluated(node.left, numbers), _evaluated(node.right, numbers))
    raise ValueError("not an expression of +, -, * and /")

"""Countdown: make a number from given ones, each used once; a level is one more number.

Many expressions can be right and every one can be checked without knowing any: what a vote cannot
agree on, a verifier can still find.
"""

import ast
import operator
from collections import Counter
from collections.abc import Callable
from random import Random

from adaptation.answers import extract
from adaptation.options import AnswerOptions
from adaptation.suites.solved import Solved, solved
from adaptation.suites.suite import Generated, Group

LARGEST = 99
"""No value on the way may be larger, nor smaller than 1."""
MAX_EXPRESSION_CHARS = 200
OPERATIONS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
SYMBOLS: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}


def draw(rng: Random, level: int) -> Solved:
    """A target that `level` + 1 numbers can make."""
    numbers = [rng.randint(1, 12) for _ in range(level + 1)]
    value, expression, work = numbers[0], str(numbers[0]), []
    for number in numbers[1:]:
        value, expression, step = _combined(rng, value, expression, number)
        work.append(step)
    shown = sorted(numbers)
    listed = f"{', '.join(map(str, shown[:-1]))} and {shown[-1]}"
    return solved(
        f"Make {value} from {listed}, each used once.",
        f"{'. '.join(work)}.",
        expression,
        "countdown",
    )


def _combined(rng: Random, value: int, expression: str, number: int) -> tuple[int, str, str]:
    """Join one more number to an expression; the value stays within bounds."""
    inner = expression if expression.isdigit() else f"({expression})"
    choices = []
    for symbol, apply in SYMBOLS.items():
        choices.append((apply(value, number), f"{inner}{symbol}{number}", value, symbol, number))
        if symbol == "-":
            choices.append((number - value, f"{number}-{inner}", number, symbol, value))
    allowed = [choice for choice in choices if 1 <= choice[0] <= LARGEST]
    result, text, left, symbol, right = rng.choice(allowed)
    return result, text, f"{left}{symbol}{right}={result}"


def value_and_numbers(expression: str) -> tuple[int, Counter[int]] | None:
    """What an expression comes to and the numbers in it; None unless it is plain +, - and *."""
    if len(expression) > MAX_EXPRESSION_CHARS:
        return None
    try:
        body = ast.parse(expression.strip(), mode="eval").body
        numbers: Counter[int] = Counter()
        return _evaluated(body, numbers), numbers
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _evaluated(node: ast.expr, numbers: Counter[int]) -> int:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        numbers[node.value] += 1
        return node.value
    if isinstance(node, ast.BinOp) and (apply := OPERATIONS.get(type(node.op))):
        return apply(_evaluated(node.left, numbers), _evaluated(node.right, numbers))
    raise ValueError("not an expression of +, - and *")


def check(problem: Solved, reply: str) -> bool:
    """Whether the reply's expression uses the same numbers as the reference and has its value."""
    found = extract(reply, AnswerOptions())
    if found is None:
        return False
    expression = found.text.split("=", 1)[0].replace("×", "*").replace("−", "-")
    return value_and_numbers(expression) == value_and_numbers(problem.answer)


SUITE = Generated("countdown", Group.IN_DISTRIBUTION, draw, range(1, 4), 2, check)

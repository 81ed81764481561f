"""Countdown: make a number from given ones, each used once; a level is one more number.

Many expressions can be right and every one can be checked without knowing any: what a vote cannot
agree on, a verifier can still find.
"""

import operator
from collections.abc import Callable
from random import Random

from adaptation.evaluation.suites.solved import Solved, solved
from adaptation.evaluation.suites.suite import Generated, Group
from memory.identity.answers import extract
from memory.identity.answers.arithmetic import value_and_numbers
from memory.identity.answers.fold import fold_expression
from memory.identity.answers.options import AnswerOptions

LARGEST = 99
"""No value on the way may be larger, nor smaller than 1."""
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


def check(problem: Solved, reply: str) -> bool:
    """Whether the reply's expression uses the same numbers as the reference and has its value.

    References only add, subtract and multiply; a reply may divide.
    """
    found = extract(reply, AnswerOptions())
    if found is None:
        return False
    expression = fold_expression(found.text.split("=", 1)[0])
    return value_and_numbers(expression) == value_and_numbers(problem.answer)


SUITE = Generated("countdown", Group.IN_DISTRIBUTION, draw, range(1, 4), 2, check)

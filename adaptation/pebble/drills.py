"""Bare sums, products and comparisons: practice for the steps that worked solutions are made of.

Nothing here is evaluated; the suites ask in other forms.
"""

from collections.abc import Callable, Mapping
from random import Random

from adaptation.evaluation.suites.solved import Solved, solved

Drill = Callable[[Random], Solved]


def calculation(rng: Random) -> Solved:
    """A bare chain of additions and subtractions, worked from the left."""
    total = rng.randint(1, 99)
    expression, work = str(total), []
    for _ in range(rng.choice((1, 1, 2, 3))):
        n = rng.randint(1, 99)
        sign = "-" if n <= total and rng.random() < 0.5 else "+"
        after = total + n if sign == "+" else total - n
        expression += f" {sign} {n}"
        work.append(f"{total}{sign}{n}={after}")
        total = after
    ask = rng.choice(("What is {}?", "What is {}?", "Calculate {}.", "{} = ?", "Work out {}."))
    return solved(ask.format(expression), f"{'. '.join(work)}.", total, "calculation")


def product(rng: Random) -> Solved:
    """A multiplication; two digits are split into tens and ones."""
    a, b = rng.randint(2, 30), rng.randint(2, 9)
    ask = rng.choice(("What is {} * {}?", "What is {} times {}?", "Calculate {} * {}."))
    if a < 10 or a % 10 == 0:
        work = f"{a}*{b}={a * b}."
    else:
        tens, ones = a // 10 * 10, a % 10
        work = f"{tens}*{b}={tens * b}. {ones}*{b}={ones * b}. {tens * b}+{ones * b}={a * b}."
    return solved(ask.format(a, b), work, a * b, "product")


def comparison(rng: Random) -> Solved:
    """The larger or the smaller of two numbers."""
    a, b = rng.sample(range(1, 200), 2)
    word, answer = rng.choice((("larger", max(a, b)), ("smaller", min(a, b))))
    order = f"{max(a, b)} is more than {min(a, b)}."
    return solved(f"Which is {word}, {a} or {b}?", order, answer, "comparison")


DRILLS: Mapping[str, Drill] = {
    "calculation": calculation,
    "product": product,
    "comparison": comparison,
}

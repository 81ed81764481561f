"""Simple equations: one step, two steps, an unknown on both sides, the same in larger numbers."""

from random import Random

from adaptation.evaluation.suites.solved import Solved, solved
from adaptation.evaluation.suites.suite import Generated, Group


def draw(rng: Random, level: int) -> Solved:
    """An equation whose solution is a whole number."""
    return LEVELS[level](rng)


def _one_step(rng: Random) -> Solved:
    x, b = rng.randint(1, 60), rng.randint(1, 60)
    return _solved(f"x + {b} = {x + b}", [f"x={x + b}-{b}={x}"], x)


def _two_steps(rng: Random) -> Solved:
    x, a, b = rng.randint(2, 20), rng.randint(2, 9), rng.randint(1, 60)
    c = a * x + b
    return _solved(f"{a} * x + {b} = {c}", [f"{a}*x={c}-{b}={a * x}", f"x={a * x}/{a}={x}"], x)


def _both_sides(rng: Random) -> Solved:
    return _two_sided(rng, largest=20, rest=40, factor=7)


def _large(rng: Random) -> Solved:
    return _two_sided(rng, largest=30, rest=99, factor=9)


def _two_sided(rng: Random, largest: int, rest: int, factor: int) -> Solved:
    x, b = rng.randint(2, largest), rng.randint(1, rest)
    c, extra = rng.randint(2, 5), rng.randint(2, factor)
    a, d = c + extra, extra * x + b
    work = [
        f"{a}-{c}={extra}",
        f"{extra}*x={d}-{b}={extra * x}",
        f"x={extra * x}/{extra}={x}",
    ]
    return _solved(f"{a} * x + {b} = {c} * x + {d}", work, x)


def _solved(equation: str, work: list[str], x: int) -> Solved:
    return solved(f"Solve {equation}.", f"{'. '.join(work)}.", x, "equations")


LEVELS = {1: _one_step, 2: _two_steps, 3: _both_sides, 4: _large}

SUITE = Generated("equations", Group.IN_DISTRIBUTION, draw, range(1, 5), 4)

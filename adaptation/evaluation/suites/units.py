"""Unit and time arithmetic: one conversion, one with a rest, the clock, two added, large ones."""

from random import Random

from adaptation.evaluation.suites.solved import Solved, solved
from adaptation.evaluation.suites.suite import Generated, Group

UNITS = (
    ("hours", "minutes", 60),
    ("minutes", "seconds", 60),
    ("days", "hours", 24),
    ("weeks", "days", 7),
    ("meters", "centimeters", 100),
    ("years", "months", 12),
    ("kilos", "grams", 1000),
    ("dozens", "pieces", 12),
    ("feet", "inches", 12),
)
"""Large unit, small unit, how many of the small make one of the large."""


def draw(rng: Random, level: int) -> Solved:
    """A question of the level."""
    return LEVELS[level](rng)


def _conversion(rng: Random) -> Solved:
    large, small, factor = rng.choice(UNITS)
    n = rng.randint(2, 39)
    ask = rng.choice(("How many {s} are {n} {l}?", "Convert {n} {l} to {s}.", "{n} {l} in {s}?"))
    return _solved(ask.format(n=n, l=large, s=small), [f"{n}*{factor}={n * factor}"], n * factor)


def _with_rest(rng: Random) -> Solved:
    large, small, factor = rng.choice(UNITS)
    n, rest = rng.randint(2, 12), rng.randint(1, factor - 1)
    whole = n * factor
    ask = rng.choice(("How many {s} are {n} {l} and {r} {s}?", "Convert {n} {l} {r} {s} to {s}."))
    work = [f"{n}*{factor}={whole}", f"{whole}+{rest}={whole + rest}"]
    return _solved(ask.format(n=n, l=large, s=small, r=rest), work, whole + rest)


def _clock(rng: Random) -> Solved:
    hour, minute = rng.randint(0, 18), rng.randint(0, 59)
    hours, minutes = rng.randint(1, 4), rng.randint(1, 59)
    ask = rng.choice(
        (
            "It is {}. What time is it {} hours and {} minutes later?",
            "A train leaves at {} and rides {} hours and {} minutes. When does it arrive?",
        )
    ).format(_time(hour, minute), hours, minutes)
    total, later = minute + minutes, hour + hours
    work = [f"{minute}+{minutes}={total}"]
    if total >= 60:
        work += [f"{total}-60={total - 60}", f"{hour}+{hours}+1={later + 1}"]
        return _solved(ask, work, _time(later + 1, total - 60))
    return _solved(ask, [*work, f"{hour}+{hours}={later}"], _time(later, total))


def _together(rng: Random) -> Solved:
    return _added(rng, largest=9)


def _large(rng: Random) -> Solved:
    return _added(rng, largest=19)


def _added(rng: Random, largest: int) -> Solved:
    large, small, factor = rng.choice(UNITS[:6])
    (a, b), (c, d) = ((rng.randint(1, largest), rng.randint(1, factor - 1)) for _ in range(2))
    first, second = a * factor + b, c * factor + d
    work = [
        f"{a}*{factor}={a * factor}",
        f"{a * factor}+{b}={first}",
        f"{c}*{factor}={c * factor}",
        f"{c * factor}+{d}={second}",
        f"{first}+{second}={first + second}",
    ]
    ask = f"How many {small} are {a} {large} {b} {small} and {c} {large} {d} {small} together?"
    return _solved(ask, work, first + second)


def _time(hour: int, minute: int) -> str:
    return f"{hour}:{minute:02d}"


def _solved(question: str, work: list[str], answer: object) -> Solved:
    return solved(question, f"{'. '.join(work)}.", answer, "units")


LEVELS = {1: _conversion, 2: _with_rest, 3: _clock, 4: _together, 5: _large}

SUITE = Generated("units", Group.IN_DISTRIBUTION, draw, range(1, 6), 5)

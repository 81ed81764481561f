"""Families of questions with a generator, and which of them lie near trained questions.

Nothing that serves imports this: the suites are brought in when a generation is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split
from adaptation.evaluation.suites.suite import Group, Suite, up_to

PLAIN = ("stories", "orders", "units", "lists", "equations")
"""Families whose answers are read by value."""


def near_families(
    is_near: Callable[[Sequence[str]], bool], count: int, seed: int
) -> Iterator[tuple[str, Solved]]:
    """Yield up to `count` questions of every family that is near by its questions, with its name.

    Each level is a family of its own: who learns hard ones may lose the easy ones for them.
    """
    for name in PLAIN:
        suite = SUITES[name]
        assert suite.group is Group.IN_DISTRIBUTION
        drawn = list(_drawn(name, suite, count, seed))
        if is_near([problem.question for _, problem in drawn]):
            yield from drawn


def _drawn(name: str, suite: Suite, count: int, seed: int) -> Iterator[tuple[str, Solved]]:
    """Draw questions of development, which no evaluation asks: easy ones and usual ones."""
    levels = sorted({suite.levels[0], suite.default_level})
    each = partial(up_to, count // len(levels), suite, split=Split.DEVELOPMENT, seed=seed)
    for level in levels:
        for problem in each(level=level):
            yield f"{name} of level {level}", problem

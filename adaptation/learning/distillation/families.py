"""Families of questions with a generator, and which of them trained questions look like.

Nothing that serves imports this: the suites are brought in when a generation is judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split
from adaptation.evaluation.suites.suite import Group, Suite, up_to
from adaptation.learning.distillation.form import Form, form_of, nearness

LIKE = 0.45
"""Overlap of forms from which questions are of one family."""
PLAIN = ("stories", "orders", "units", "lists", "equations")
"""Families whose answers are read by value."""


def near_families(forms: Sequence[Form], count: int, seed: int) -> Iterator[Solved]:
    """Yield up to `count` questions of every family that a trained question looks like."""
    for name in PLAIN:
        suite = SUITES[name]
        assert suite.group is Group.IN_DISTRIBUTION
        drawn = _drawn(suite, count, seed)
        if any(nearness(form_of(problem.question), forms) >= LIKE for problem in drawn):
            yield from drawn


def _drawn(suite: Suite, count: int, seed: int) -> list[Solved]:
    """Draw questions of development, which no evaluation asks: easy ones and usual ones."""
    levels = {suite.levels[0], suite.default_level}
    each = partial(up_to, count // len(levels), suite, split=Split.DEVELOPMENT, seed=seed)
    return [problem for level in sorted(levels) for problem in each(level=level)]

"""Figures of two builds: a ratio with its spread, a target met or missed, a table in Markdown.

Ratios are of medians. Their spread is the widest that the single figures allow: of few figures on
a shared machine nothing narrower is honest.

>>> ratio([40.0, 44.0, 42.0], [2.0, 2.1, 2.2]).show(".1f")
'20.0 (18.2 to 22.0)'
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from adaptation.statistics import Interval
from loadtests.measure.result import Target

Judged = Literal["before / now", "now / before", "now"]
"""Which figure the target bounds."""
HEADER = "| measured | before | now | ratio | target | |"
RULE = "|---|--:|--:|--:|---|---|"


@dataclass(frozen=True)
class Compared:
    """One thing measured in both builds."""

    name: str
    unit: str
    before: tuple[float, ...]
    now: tuple[float, ...]
    judged: Judged
    direction: Literal["at least", "at most"]
    bound: float
    cut_off: int = 0
    """Of the figures before, those that are a time limit: the last, and larger in truth."""
    note: str = ""

    @property
    def ratio(self) -> Interval:
        """The larger over the smaller, as the target has it; "before / now" where it has none."""
        pair = (self.now, self.before) if self.judged == "now / before" else (self.before, self.now)
        return ratio(*pair)

    @property
    def target(self) -> Target:
        """What is wanted of it."""
        found = spread(self.now) if self.judged == "now" else self.ratio
        return Target(self.name, self.bound, self.direction, found, self.unit)

    def as_json(self) -> dict[str, Any]:
        """Return every figure, the ratio and the verdict."""
        more = {"ratio": asdict(self.ratio), "verdict": self.target.verdict}
        return asdict(self) | more

    def as_row(self) -> str:
        """Return a line of the table."""
        at_least = "≥ " * (self.cut_off > 0)
        sign = {"at least": "≥", "at most": "≤"}[self.direction]
        what = f"{self.judged} {sign} {self.bound:g}" + f" {self.unit}" * (self.judged == "now")
        cells = (
            self.name,
            at_least + _shown(self.before, self.unit),
            _shown(self.now, self.unit),
            at_least + _of_ratio(self.ratio),
            what,
            self.target.verdict,
        )
        return f"| {' | '.join(cells)} |"


def spread(values: Sequence[float]) -> Interval:
    """Return the median between the least and the largest."""
    if not values:
        return Interval(math.nan, math.nan, math.nan)
    return Interval(statistics.median(values), min(values), max(values))


def ratio(above: Sequence[float], below: Sequence[float]) -> Interval:
    """Return the ratio of the medians, between the least and the largest that figures allow."""
    over, under = spread(above), spread(below)
    return Interval(
        _quotient(over.value, under.value),
        _quotient(over.low, under.high),
        _quotient(over.high, under.low),
    )


def table(rows: Sequence[Compared]) -> str:
    """Return the rows as Markdown."""
    return "\n".join([HEADER, RULE, *(row.as_row() for row in rows)])


def _quotient(above: float, below: float) -> float:
    return above / below if below else math.nan


def _shown(values: Sequence[float], unit: str) -> str:
    if not values:  # of one side alone, or not a single figure came of it
        return "–"
    found = spread(values)
    text = f"{_digits(found.value)} {unit}".rstrip()
    if len(values) > 1:
        text += f" ({_digits(found.low)} to {_digits(found.high)}; n = {len(values)})"
    return text


def _of_ratio(found: Interval) -> str:
    if math.isnan(found.value):
        return "–"
    if found.low == found.value == found.high:
        return _digits(found.value)
    return f"{_digits(found.value)} ({_digits(found.low)} to {_digits(found.high)})"


def _digits(value: float) -> str:
    """Three figures that count: 0.0123, 1.23, 12.3, 1,234."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"

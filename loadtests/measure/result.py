"""What a measurement found: a table for people, figures for programs, and targets met or missed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from adaptation.statistics import Interval, without_nan

Row = tuple[str, str]
"""What was measured, and the figure with its spread."""


@dataclass(frozen=True)
class Target:
    """A bound on one figure, and the figure with its spread."""

    name: str
    bound: float
    direction: Literal["at least", "at most"]
    found: Interval
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure keeps the bound; NaN keeps none."""
        if self.direction == "at least":
            return self.found.value >= self.bound
        return self.found.value <= self.bound

    @property
    def verdict(self) -> str:
        """Met or missed, and whether the spread leaves that open."""
        is_open = self.found.low <= self.bound <= self.found.high
        return ("met" if self.met else "MISSED") + (", but the spread holds the bound" * is_open)


@dataclass(frozen=True)
class Result:
    """One measurement."""

    name: str
    title: str
    rows: list[Row]
    figures: dict[str, Any]
    """Everything behind the rows, fit for JSON."""
    targets: list[Target] = field(default_factory=list)
    note: str = ""
    """How it was measured, in a sentence or two."""

    def as_json(self) -> dict[str, Any]:
        """Return it as a program reads it."""
        targets = [asdict(target) | {"met": target.met} for target in self.targets]
        whole: dict[str, Any] = without_nan(asdict(self) | {"targets": targets})
        return whole


def result_of(whole: Mapping[str, Any]) -> Result:
    """Return what `Result.as_json` told."""
    targets = [
        Target(each["name"], each["bound"], each["direction"], _interval(each), each["unit"])
        for each in whole["targets"]
    ]
    rows = [(name, value) for name, value in whole["rows"]]
    return Result(whole["name"], whole["title"], rows, whole["figures"], targets, whole["note"])


def _interval(target: Mapping[str, Any]) -> Interval:
    found = target["found"]
    value, low, high = (
        math.nan if found[key] is None else found[key] for key in ("value", "low", "high")
    )
    return Interval(value, low, high)

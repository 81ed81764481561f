"""The few statistics a benchmark needs: an estimate never stands without its spread.

Pure. McNemar's test is the distillation gate's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from adaptation.distillation.gate import mcnemar as mcnemar_one_sided

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate between two bounds; which ones, the function that made it says."""

    value: float
    low: float
    high: float

    def show(self, form: str = ".2f") -> str:
        """Return such as `1.02 (0.98 to 1.05)`."""
        return f"{self.value:{form}} ({self.low:{form}} to {self.high:{form}})"


@dataclass(frozen=True)
class Paired:
    """Two arms on the same questions: where they differ, and whether that may be luck."""

    gained: int
    """Wrong in the first arm, right in the second."""
    lost: int
    p_value: float
    """Exact McNemar, two-sided."""


def quartiles(values: Sequence[float]) -> Interval:
    """Return the median between the first and the third quartile."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return Interval(float(middle), float(low), float(high))


def wilson(hits: int, trials: int) -> Interval:
    """Return a share with Wilson's 95 % interval (Wilson 1927)."""
    if trials == 0:
        return Interval(float("nan"), 0.0, 1.0)
    bounds = stats.binomtest(hits, trials).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(hits / trials, float(bounds.low), float(bounds.high))


def bootstrap_ratio(above: Sequence[float], below: Sequence[float], seed: int) -> Interval:
    """Return sum(above) / sum(below) with a 95 % bootstrap interval over the pairs."""

    def ratio(a: NDArray[np.float64], b: NDArray[np.float64], axis: int) -> Any:
        return a.sum(axis=axis) / b.sum(axis=axis)

    return _bootstrap((above, below), ratio, seed)


def median_difference(ours: Sequence[float], theirs: Sequence[float], seed: int) -> Interval:
    """Return median(ours) − median(theirs) with a 95 % bootstrap interval over the pairs."""

    def difference(a: NDArray[np.float64], b: NDArray[np.float64], axis: int) -> Any:
        return np.median(a, axis=axis) - np.median(b, axis=axis)

    return _bootstrap((ours, theirs), difference, seed)


def _bootstrap(pairs: Sequence[ArrayLike], statistic: Callable[..., Any], seed: int) -> Interval:
    samples = [np.asarray(values, dtype=float) for values in pairs]
    value = float(statistic(*samples, axis=0))
    if len(samples[0]) < 2:
        return Interval(value, float("nan"), float("nan"))
    found = stats.bootstrap(
        samples,
        statistic,
        paired=True,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(value, float(found.low), float(found.high))


def geometric_mean(ratios: Sequence[float]) -> Interval:
    """Return the geometric mean of a few ratios with Student's 95 % interval of their logs.

    For rounds: a bootstrap of a handful of values is too narrow.
    """
    logs = np.log(np.asarray(ratios, dtype=float))
    middle = float(np.exp(logs.mean()))
    if len(logs) < 2:
        return Interval(middle, float("nan"), float("nan"))
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, len(logs) - 1) * stats.sem(logs)
    low, high = np.exp(logs.mean() + np.array((-reach, reach)))
    return Interval(middle, float(low), float(high))


def paired(before: Sequence[bool], after: Sequence[bool]) -> Paired:
    """Compare two arms on the same questions, by McNemar's exact test."""
    gained = sum(new and not old for old, new in zip(before, after, strict=True))
    lost = sum(old and not new for old, new in zip(before, after, strict=True))
    more, less = max(gained, lost), min(gained, lost)
    return Paired(gained, lost, min(1.0, 2 * mcnemar_one_sided(more, less)))

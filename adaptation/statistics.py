"""The few statistics that benchmarks and the promotion gate need: no estimate without its spread.

Pure. Where data are too few for a spread its bounds are NaN, which keeps no target.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 9_999
BATCH = 500
"""Resamples held in memory at once."""


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

    helped: int
    """Wrong in the first arm, right in the second."""
    hurt: int
    """The other way round."""
    p_value: float
    """Exact McNemar, two-sided."""


def quartiles(values: Sequence[float]) -> Interval:
    """Return the median between the first and the third quartile."""
    if not values:
        return Interval(math.nan, math.nan, math.nan)
    low, middle, high = np.percentile(values, (25, 50, 75))
    return Interval(float(middle), float(low), float(high))


def wilson(hits: int, trials: int) -> Interval:
    """Return a share with Wilson's 95 % interval (Wilson 1927)."""
    if trials == 0:
        return Interval(math.nan, 0.0, 1.0)
    bounds = stats.binomtest(hits, trials).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(hits / trials, float(bounds.low), float(bounds.high))


def bootstrap_ratio(above: Sequence[float], below: Sequence[float], seed: int) -> Interval:
    """Return sum(above) / sum(below) with a 95 % bootstrap interval over the pairs.

    NaN where a sum below may be zero.
    """

    def ratio(a: NDArray[np.float64], b: NDArray[np.float64], axis: int) -> Any:
        over, under = a.sum(axis=axis), b.sum(axis=axis)
        return np.divide(over, under, out=np.full_like(over, math.nan), where=under != 0)

    return _bootstrap((above, below), ratio, seed)


def median_difference(ours: Sequence[float], theirs: Sequence[float], seed: int) -> Interval:
    """Return median(ours) − median(theirs) with a 95 % bootstrap interval over the pairs."""

    def difference(a: NDArray[np.float64], b: NDArray[np.float64], axis: int) -> Any:
        return np.median(a, axis=axis) - np.median(b, axis=axis)

    return _bootstrap((ours, theirs), difference, seed)


def bootstrap_difference(ours: Sequence[float], theirs: Sequence[float], seed: int) -> Interval:
    """Return mean(ours − theirs) with a 95 % percentile bootstrap interval over the pairs.

    Pairs that all differ alike have an interval of no width: it is the data's spread, and says
    nothing of what fewer than a handful of pairs could not show.
    """
    if not len(ours):
        return Interval(math.nan, math.nan, math.nan)
    deltas = np.subtract(ours, theirs, dtype=float)
    distinct, counts = np.unique(deltas, return_counts=True)
    n = len(deltas)
    value = float(counts @ distinct / n)
    if n < 2:
        return Interval(value, math.nan, math.nan)
    # How often each value is drawn in n draws: the bootstrap's own law, without n draws.
    drawn = np.random.default_rng(seed).multinomial(n, counts / n, size=RESAMPLES)
    low, high = np.percentile(drawn @ distinct / n, _TAILS)
    return Interval(value, float(low), float(high))


_TAILS = (50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE))


def not_worse(difference: Interval, margin: float) -> bool:
    """Whether a loss of more than `margin` can be ruled out (non-inferiority); NaN rules nothing.

    The bound is that of a two-sided 95 % interval: a one-sided test at 2.5 %.
    """
    return difference.low >= -margin


def _bootstrap(pairs: Sequence[ArrayLike], statistic: Callable[..., Any], seed: int) -> Interval:
    samples = [np.asarray(values, dtype=float) for values in pairs]
    value = float(statistic(*samples, axis=0)) if len(samples[0]) else math.nan
    if len(samples[0]) < 2:
        return Interval(value, math.nan, math.nan)
    with warnings.catch_warnings():  # NaN bounds say it
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found = stats.bootstrap(
            samples,
            statistic,
            paired=True,
            confidence_level=CONFIDENCE,
            n_resamples=RESAMPLES,
            batch=BATCH,
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
        return Interval(middle, math.nan, math.nan)
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, len(logs) - 1) * stats.sem(logs)
    low, high = np.exp(logs.mean() + np.array((-reach, reach)))
    return Interval(middle, float(low), float(high))


def flips(before: Sequence[bool], after: Sequence[bool]) -> tuple[int, int]:
    """Return how many questions were helped (wrong, then right) and hurt (right, then wrong)."""
    pairs = list(zip(before, after, strict=True))
    helped = sum(new and not old for old, new in pairs)
    hurt = sum(old and not new for old, new in pairs)
    return helped, hurt


def mcnemar_one_sided(helped: int, hurt: int) -> float:
    """Exact one-sided McNemar: P(X ≥ helped), X ~ Binomial(helped + hurt, ½).

    Only questions on which the two disagree tell them apart; were they equally good, each such
    question would fall to either side like a coin.
    """
    disagreeing = helped + hurt
    tail = sum(math.comb(disagreeing, k) for k in range(helped, disagreeing + 1))
    return tail / (1 << disagreeing)


def mcnemar_two_sided(helped: int, hurt: int) -> float:
    """Exact two-sided McNemar: twice the tail of the larger side, at most 1."""
    return min(1.0, 2 * mcnemar_one_sided(max(helped, hurt), min(helped, hurt)))


def paired(before: Sequence[bool], after: Sequence[bool]) -> Paired:
    """Compare two arms on the same questions, by McNemar's exact two-sided test."""
    helped, hurt = flips(before, after)
    return Paired(helped, hurt, mcnemar_two_sided(helped, hurt))


def without_nan(value: Any) -> Any:
    """Return nested values with None for every NaN: JSON has no word for it."""
    if isinstance(value, dict):
        return {name: without_nan(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value

"""The few statistics that benchmarks and the promotion gate need: no estimate without its spread.

Pure. Where data are too few for a spread its bounds are NaN, which keeps no target. `scipy.stats`
is imported where it is called: it takes half a second, and many commands never call it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95
RESAMPLES = 9_999
BATCH = 500
"""Resamples held in memory at once."""
DRAWS = 1_999
"""Resamples of two stages: they are drawn for every arm of every suite."""
Z = 1.959963984540054
"""Normal quantile of `CONFIDENCE`, two-sided."""
BISECTIONS = 60


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
    from scipy import stats

    bounds = stats.binomtest(hits, trials).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(hits / trials, float(bounds.low), float(bounds.high))


def bootstrap_ratio(above: Sequence[float], below: Sequence[float], seed: int) -> Interval:
    """Return sum(above) / sum(below) with a 95 % bootstrap interval over the pairs.

    NaN where a sum below may be zero.
    """

    def ratio(a: NDArray[np.float64], b: NDArray[np.float64], axis: int) -> Any:
        return _quotient(a.sum(axis=axis), b.sum(axis=axis))

    return _bootstrap((above, below), ratio, seed)


def median_difference(ours: Sequence[float], theirs: Sequence[float], seed: int) -> Interval:
    """Return median(ours) − median(theirs) with a 95 % bootstrap interval over the pairs."""

    def difference(a: NDArray[np.float64], b: NDArray[np.float64], axis: int) -> Any:
        return np.median(a, axis=axis) - np.median(b, axis=axis)

    return _bootstrap((ours, theirs), difference, seed)


class Resamples:
    """Which observations each of `DRAWS` bootstrap samples holds: a stratified two-stage bootstrap.

    In every stratum as many clusters are drawn as it has, and in every drawn cluster as many
    members as it has, both with replacement (Davison and Hinkley 1997, section 3.8). So members of
    a cluster may be alike without passing for independent ones. A stratum of one cluster is
    resampled member by member, as in the plain bootstrap. With a handful of clusters the intervals
    are still a little too narrow; that members are drawn again makes up for part of it.
    """

    def __init__(self, clusters: Sequence[tuple[Hashable, Hashable]], seed: int) -> None:
        """Draw; `clusters` has the stratum of each observation, and its cluster in there."""
        rng = np.random.default_rng(seed)
        strata: dict[Hashable, dict[Hashable, list[int]]] = {}
        for place, (stratum, cluster) in enumerate(clusters):
            strata.setdefault(stratum, {}).setdefault(cluster, []).append(place)
        self._counts = np.zeros((DRAWS, len(clusters)))
        for members in strata.values():
            places = list(chain.from_iterable(members.values()))
            self._counts[:, places] = _two_stage([len(each) for each in members.values()], rng)

    def mean(self, values: ArrayLike) -> Interval:
        """Return the mean with a 95 % percentile interval; no width where all values are equal."""
        return self.ratio(values, np.ones(self._counts.shape[1]))

    def ratio(self, above: ArrayLike, below: ArrayLike) -> Interval:
        """Return sum(above) / sum(below) with a 95 % percentile interval over the pairs.

        NaN where a sum below may be zero.
        """
        over, under = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
        value = float(_quotient(over.sum(), under.sum()))
        if len(over) < 2:
            return Interval(value, math.nan, math.nan)
        drawn = _quotient(self._counts @ over, self._counts @ under)
        low, high = np.percentile(drawn, (50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)))
        return Interval(value, float(low), float(high))


def _two_stage(sizes: Sequence[int], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return how often each member of clusters of such sizes is drawn: (DRAWS, all members)."""
    size, total = np.asarray(sizes), sum(sizes)
    first = np.cumsum(size) - size
    clusters = rng.integers(len(size), size=(DRAWS, len(size)))
    room = size[clusters][..., None]  # (DRAWS, clusters, 1)
    members = (rng.random((*clusters.shape, max(sizes))) * room).astype(np.int64)
    members += (first[clusters] + total * np.arange(DRAWS)[:, None])[..., None]
    drawn = members[np.arange(max(sizes)) < room]  # of a smaller cluster, fewer
    return np.bincount(drawn, minlength=DRAWS * total).reshape(DRAWS, total)


def _quotient(over: Any, under: Any) -> Any:
    return np.divide(over, under, out=np.full_like(over, math.nan), where=under != 0)


def score_difference(helped: int, hurt: int, pairs: int) -> Interval:
    """Return (helped − hurt) / pairs, a difference of paired shares, with Tango's 95 % interval.

    Tango 1998 (Statistics in Medicine 17, 891–908) keeps every difference Δ that the score test
    does not reject: |helped − hurt − nΔ| ≤ z √(n (2q + Δ (1 − Δ))), with q the likeliest share of
    hurt pairs under Δ, the larger root of 2n q² + b q − hurt Δ (1 − Δ) = 0, where
    b = (2n − helped + hurt) Δ − (helped + hurt). Pairs that never differ leave ± z² / (n + z²):
    few of them show little. Pairs are taken to be independent.
    """
    if not pairs:
        return Interval(math.nan, math.nan, math.nan)
    low, high = _tango_low(helped, hurt, pairs), -_tango_low(hurt, helped, pairs)
    return Interval((helped - hurt) / pairs, low, high)


def _tango_low(helped: int, hurt: int, n: int) -> float:
    """Halve what lies between −1 and the estimate until only the bound is left."""
    rejected, kept = -1.0, (helped - hurt) / n
    for _ in range(BISECTIONS):
        delta = (rejected + kept) / 2
        b = (2 * n - helped + hurt) * delta - (helped + hurt)
        root = math.sqrt(max(0.0, b * b + 8 * n * hurt * delta * (1 - delta)))
        variance = n * ((root - b) / (2 * n) + delta * (1 - delta))
        if (helped - hurt - n * delta) ** 2 > Z**2 * variance:
            rejected = delta
        else:
            kept = delta
    return kept


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
    from scipy import stats

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
    from scipy import stats

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

"""What a vote weighs: one function per name, from the log-probabilities of its sampled tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from adaptation.types import Sample
from adaptation.voting.novelty import Novelty

GROUP = 16
"""Tokens of a group (DeepConf has 2,048, for traces of tens of thousands)."""
BOTTOM = 0.1
"""Share of the groups that counts: the least confident."""
LENGTH_EXPONENT = 0.6


def count(sample: Sample) -> float:
    """Every vote alike: plurality (Wang et al. 2022, arXiv 2203.11171)."""
    del sample
    return 1.0


def mean_logprob(sample: Sample) -> float:
    """The geometric mean of the tokens' probabilities (Wang et al. 2022, table 1, normalised)."""
    return math.exp(np.mean(sample.logprobs)) if sample.logprobs else 0.0


def group_confidence(sample: Sample) -> float:
    """The same over the least confident tenth of the groups of consecutive tokens.

    DeepConf's bottom-10 % group confidence (Fu et al. 2025, arXiv 2508.15260, section 3), with the
    log-probabilities of the sampled tokens.
    """
    if not sample.logprobs:
        return 0.0
    size = min(GROUP, len(sample.logprobs))
    groups = np.convolve(sample.logprobs, np.full(size, 1 / size), mode="valid")
    lowest = max(1, round(BOTTOM * len(groups)))
    return math.exp(np.sort(groups)[:lowest].mean())


def length_normalised(sample: Sample) -> float:
    """The sample's probability, its logarithm over a length penalty.

    Wu et al. 2016 (arXiv 1609.08144, section 7): log P / ((5 + n)^α / 6^α), α = 0.6. Between the
    whole probability, which favours the short, and the mean, which is blind to length.
    """
    if not sample.logprobs:
        return 0.0
    penalty = ((5 + len(sample.logprobs)) / 6) ** LENGTH_EXPONENT
    return math.exp(sum(sample.logprobs) / penalty)


def weighing(name: str) -> Callable[[Sample], float]:
    """Return what weighs the votes of one question; see `WEIGHTS` and `Novelty`."""
    return Novelty() if name == "novelty" else WEIGHTS[name]


WEIGHTS: Mapping[str, Callable[[Sample], float]] = MappingProxyType(
    {
        "count": count,
        "mean_logprob": mean_logprob,
        "group_confidence": group_confidence,
        "length_normalised": length_normalised,
    }
)
NAMES = (*WEIGHTS, "novelty")
"""What an operator chooses between."""

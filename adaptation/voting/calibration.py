"""The bar above which one sample will do, and how it is found.

One-sample exit after ReASC and DeepConf (Fu et al. 2025, arXiv 2508.15260): a first sample whose
group confidence clears the bar is served without a vote. The bar is lowered step by step for as
long as the samples above it can be trusted (fixed-sequence testing, Angelopoulos et al. 2021,
arXiv 2110.01052): so the promise holds although the bar was chosen on the same votes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import Field

from adaptation.report import FirstSample
from memory.types import Frozen

STEPS = 20
"""Bars tried, each with a twentieth more of the samples above it."""
MARGIN = 2
"""How many times the fewest votes that could show the promise the first bar tried has above it."""
ERROR = 0.05
"""Chance that the bar is too low all the same."""


class Calibration(Frozen):
    """A bar, and what it was found on."""

    bar: float = Field(ge=0.0, le=1.0)
    agreement: float
    """Promised: so often a sample above the bar is what a vote would have come to."""
    votes: int
    """All that were looked at."""
    accepted: int
    """Votes whose first sample clears the bar."""
    agreed: int
    """Accepted votes whose first sample won."""


def calibrate(votes: Sequence[FirstSample], agreement: float) -> Calibration | None:
    """Return the lowest bar above which first samples win as often as asked for.

    None where the fewest that could show it do not.
    """
    ranked = sorted(votes, key=lambda vote: -vote.confidence)
    found = None
    for step in range(1, STEPS + 1):
        place = len(ranked) * step // STEPS - 1
        if place < 0:
            continue
        bar = ranked[place].confidence
        above = [vote for vote in ranked if vote.confidence >= bar]
        if len(above) < fewest(agreement):
            continue  # so few that one or two chance failures would end the search here
        agreed = sum(vote.won for vote in above)
        if not _is_shown(agreed, len(above), agreement):
            break
        found = Calibration(
            bar=bar, agreement=agreement, votes=len(votes), accepted=len(above), agreed=agreed
        )
    return found


def fewest(agreement: float) -> int:
    """Return how many votes have to be above the first bar tried."""
    return math.ceil(MARGIN * math.log(ERROR) / math.log(agreement))


def _is_shown(agreed: int, of: int, agreement: float) -> bool:
    """Whether a true rate below `agreement` would rarely give this many; exact binomial."""
    from scipy import stats  # slow to import, and no server needs it

    return float(stats.binom.sf(agreed - 1, of, agreement)) <= ERROR

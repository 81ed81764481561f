"""How strongly paired answers speak for a candidate: an e-process over the pairs that disagree.

Were the candidate no better, every question on which the two differ would fall to its side at most
like a coin. Two bets against that, half of the stake on each:

- one at every disagreeing pair, by a mixture over how often the candidate wins, uniform above ½:
  E = 2 ∫_{½}^{1} (2θ)^h (2(1−θ))^l dθ (Robbins 1970; betting as in Waudby-Smith and Ramdas,
  arXiv 2010.09686). It may be looked at after every pair;
- one on the last look alone, all or nothing: 2/α where McNemar's exact p is at most α/2. It wins
  where a hold-out is small, and the first bet has had no time to grow.

Their mean has an expectation of at most 1 whenever one stops, so that it comes to 1/α with a
probability of at most α (Ville 1939). Paired e-processes as a gate: PACE, arXiv 2606.08106.
"""

from __future__ import annotations

import math

from scipy.special import betainc, betaln

from adaptation.statistics import mcnemar_one_sided

STAKE = 0.5
"""Share of the stake on the bet that may be looked at after every pair."""
HOPELESS = 0.03
"""Chance of a promotion, foreseen from the pairs so far, below which no more is asked."""
FEW = 8
"""Disagreeing pairs, below which only their number is foreseen."""
MORE = 4
"""Pairs beyond those seen that may have been due: a chance of 2 % for none (Poisson)."""


def mixture(helped: int, hurt: int) -> float:
    """Return what the bet at every disagreeing pair has come to; 1 before the first."""
    n = helped + hurt
    above_half = betainc(hurt + 1, helped + 1, 0.5)  # P(θ > ½), θ ~ Beta(helped + 1, hurt + 1)
    if above_half == 0:
        return 0.0
    log_e = (n + 1) * math.log(2) + betaln(helped + 1, hurt + 1) + math.log(above_half)
    return math.exp(min(log_e, 700.0))


def evidence(helped: int, hurt: int, alpha: float, *, is_last: bool) -> float:
    """Return the e-value so far; `alpha` is what a promotion may cost."""
    wins = is_last and mcnemar_one_sided(helped, hurt) <= alpha * (1 - STAKE)
    return STAKE * mixture(helped, hurt) + (1 / alpha if wins else 0.0)


def is_hopeless(helped: int, hurt: int, asked: int, left: int, alpha: float) -> bool:
    """Whether what is left to ask will hardly bring a promotion.

    Foreseen as a Beta-binomial of the disagreeing pairs to come, by its normal approximation; a
    wrong guess costs a promotion, and never makes a false one.
    """
    seen = helped + hurt
    if seen < FEW:
        likely = min(left, round(left * (seen + MORE) / asked))
        return likely < _fewest_left(helped, hurt, alpha)
    coming = round(left * seen / asked)
    share = (helped + 1) / (seen + 2)
    spread = math.sqrt(coming * share * (1 - share) * (1 + coming / (seen + 3)))
    needed = _needed(seen + coming, alpha) - helped
    if spread == 0:
        return needed > coming
    return 0.5 * math.erfc((needed - 0.5 - coming * share) / spread / math.sqrt(2)) < HOPELESS


def _needed(pairs: int, alpha: float) -> int:
    """Return the fewest of so many disagreeing pairs that must be helped; one more if none do."""
    low, high = pairs // 2, pairs + 1
    while low < high:
        middle = (low + high) // 2
        if mcnemar_one_sided(middle, pairs - middle) <= alpha * (1 - STAKE):
            high = middle
        else:
            low = middle + 1
    return low


def _fewest_left(helped: int, hurt: int, alpha: float) -> int:
    """Return how many questions must be helped, none hurt, before that is beyond luck."""
    more = 0
    while mcnemar_one_sided(helped + more, hurt) > alpha * (1 - STAKE):
        more += 1
    return more

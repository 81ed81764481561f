"""Whether a candidate that serves a share of the requests is promoted or taken back. Pure.

Both arms answer requests of one kind, drawn by chance. The i-th judged answer of the one is paired
with the i-th of the other: a pair where only the candidate is right has helped, one where only the
other is right has hurt. Where the candidate is no better, a pair on which the two differ has helped
with a chance of one half at most. The wealth of the bet is then a supermartingale: it ever exceeds
1/α with a chance of α at most, however often one looks (Ville; betting, arXiv 2010.09686). The bet
is the gate's: see `evidence.mixture`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from adaptation.learning.distillation.evidence import mixture

ALPHA = 0.05
"""The chance of a decision for one side where both are equally good."""
MOST_PAIRS = 400
"""After so many without a decision the candidate stays where it did not hurt more than it helped:
that it gains is what the gate has seen."""
MOST_SHADOW_PAIRS = 100
"""Most pairs of a shadow, which is to find harm before anybody is answered so."""
MOST_SHADOWS = 200
"""After so many it goes on even where few could be judged: the share is to tell."""


class Verdict(StrEnum):
    """What is done with the candidate."""

    PROMOTE = "promote"
    TAKE_BACK = "take back"
    WAIT = "wait"


@dataclass(frozen=True)
class Decision:
    """A verdict, and what it rests on."""

    verdict: Verdict
    pairs: int
    helped: int
    hurt: int

    @property
    def reason(self) -> str:
        """What was seen, in words."""
        return f"in {self.pairs} pairs of live answers it helped {self.helped}, hurt {self.hurt}"


def decide(outcomes: Iterable[tuple[str, bool]], alpha: float = ALPHA) -> Decision:
    """Decide by judged answers in the order they were given: arm (`ReleaseReport`), and right."""
    outcomes = list(outcomes)
    tried = [right for arm, right in outcomes if arm == "candidate"]
    other = [right for arm, right in outcomes if arm == "control"]
    return weigh(zip(tried, other, strict=False), MOST_PAIRS, alpha)


def decide_shadow(outcomes: Iterable[tuple[bool, bool]], shadows: int) -> Decision:
    """Decide by questions that both have answered: the candidate right, the other right.

    `shadows` are those that nobody could judge as well.
    """
    decision = weigh(outcomes, MOST_SHADOW_PAIRS)
    if decision.verdict is Verdict.WAIT and shadows >= MOST_SHADOWS:
        return replace(decision, verdict=_what_stays(decision.helped, decision.hurt))
    return decision


def weigh(pairs: Iterable[tuple[bool, bool]], most: int, alpha: float = ALPHA) -> Decision:
    """Decide by pairs of the candidate's answer and the other's, each right or not."""
    helped = hurt = seen = 0
    for mine, theirs in islice(pairs, most):
        seen, helped, hurt = seen + 1, helped + (mine > theirs), hurt + (mine < theirs)
        if mine > theirs and mixture(helped, hurt) * alpha >= 1:
            return Decision(Verdict.PROMOTE, seen, helped, hurt)
        if mine < theirs and mixture(hurt, helped) * alpha >= 1:
            return Decision(Verdict.TAKE_BACK, seen, helped, hurt)
    verdict = Verdict.WAIT if seen < most else _what_stays(helped, hurt)
    return Decision(verdict, seen, helped, hurt)


def _what_stays(helped: int, hurt: int) -> Verdict:
    return Verdict.PROMOTE if helped >= hurt else Verdict.TAKE_BACK

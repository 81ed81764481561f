"""The promotion gate: is the candidate better than what is served now, beyond luck?

Pairs are judged as they come, so that no more is asked than decides (`evidence`), at the level that
the run's budget leaves (`budget`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from adaptation.learning.distillation.evidence import evidence, is_hopeless
from adaptation.statistics import flips


class Verdict(StrEnum):
    """What the pairs so far say."""

    BETTER = "better"
    GO_ON = "go on"
    FUTILE = "futile"
    """What is left to ask would hardly change it."""
    OVER = "over"
    """All was asked, and it was not enough."""


@dataclass(frozen=True)
class Decision:
    """The gate's word, with the evidence it rests on."""

    promote: bool
    reasons: tuple[str, ...]
    helped: int
    """Held-out questions wrong before, right with the candidate."""
    hurt: int
    p_value: float
    """Valid whenever one stops: 1 / `e_value`."""
    e_value: float
    """What a bet against luck has come to; 1 / `alpha` promotes."""
    alpha: float
    """What this generation staked of the run's budget."""
    asked: int


def look(current: Sequence[bool], candidate: Sequence[bool], left: int, alpha: float) -> Verdict:
    """Say what the answers so far come to, with `left` more questions that could be asked."""
    helped, hurt = flips(current, candidate)
    if evidence(helped, hurt, alpha, is_last=not left) * alpha >= 1:
        return Verdict.BETTER
    if not left:
        return Verdict.OVER
    hopeless = is_hopeless(helped, hurt, len(current), left, alpha)
    return Verdict.FUTILE if hopeless else Verdict.GO_ON


def decide(
    current: Sequence[bool],
    candidate: Sequence[bool],
    left: int,
    objections: Sequence[str],
    alpha: float,
) -> Decision:
    """Promote what is better where no guard objects; `left` questions were not asked."""
    helped, hurt = flips(current, candidate)
    e_value = evidence(helped, hurt, alpha, is_last=not left)
    is_better = look(current, candidate, left, alpha) is Verdict.BETTER
    doubts = () if is_better else (_doubt(helped, hurt, e_value, alpha),)
    against = (*doubts, *objections)
    praise = (
        f"{helped} held-out questions gained, {hurt} lost of {len(current)} asked "
        f"(e = {e_value:.3g}, needs {1 / alpha:.3g})"
    )
    return Decision(
        promote=not against,
        reasons=against or (praise,),
        helped=helped,
        hurt=hurt,
        p_value=min(1.0, 1 / e_value),
        e_value=e_value,
        alpha=alpha,
        asked=len(current),
    )


def _doubt(helped: int, hurt: int, e_value: float, alpha: float) -> str:
    if helped <= hurt:
        return f"no improvement on the held-out questions ({helped} gained, {hurt} lost)"
    return (
        f"the improvement may be luck ({helped} gained, {hurt} lost: e = {e_value:.3g}, "
        f"needs {1 / alpha:.3g})"
    )

"""The promotion gate: is the candidate better than what is served now, beyond luck?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adaptation.learning.distillation.guards import GuardOutcome
from adaptation.statistics import flips, mcnemar_one_sided


@dataclass(frozen=True)
class Decision:
    """The gate's word, with the evidence it rests on."""

    promote: bool
    reasons: tuple[str, ...]
    helped: int
    """Held-out questions wrong before, right with the candidate."""
    hurt: int
    p_value: float


def decide(
    current: Sequence[bool],
    candidate: Sequence[bool],
    guards: GuardOutcome | None,
    alpha: float,
) -> Decision:
    """Promote when the paired held-out answers improve with p < `alpha` and the guards hold."""
    helped, hurt = flips(current, candidate)
    p_value = mcnemar_one_sided(helped, hurt)
    objections = []
    if helped <= hurt:
        objections.append(
            f"no improvement on the held-out questions ({helped} gained, {hurt} lost)"
        )
    elif p_value >= alpha:
        objections.append(f"the improvement may be luck (p = {p_value:.3f}, needs < {alpha:g})")
    if guards is not None and not guards.held:
        objections.append(f"{len(guards.lost)} guard probes were lost: {'; '.join(guards.lost)}")
    praise = f"{helped} held-out questions gained, {hurt} lost (p = {p_value:.3g})"
    return Decision(not objections, tuple(objections) or (praise,), helped, hurt, p_value)

"""What a newcomer does to the records of its question: a pure table of rules.

Knows tiers and states only; `memory.records` writes down what is decided here.

| the question is    | newcomer stronger       | equal            | weaker               |
|--------------------|-------------------------|------------------|----------------------|
| new                | active                  | active           | active               |
| answered the same  | confirmed, active again | the same         | confirmed, unchanged |
| answered otherwise | active, old quarantined | both quarantined | newcomer quarantined |

A vote confirms but never brings a quarantined record back: the same model repeating itself is not
evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memory.types import State, Tier


@dataclass(frozen=True)
class Standing:
    """Where one stored record of the question stands."""

    id: str
    state: State
    tier: Tier
    contested: bool
    """Quarantined because answers disagree, not because somebody judged it wrong."""


@dataclass(frozen=True)
class Settlement:
    """The newcomer's state, and the active records that lose theirs."""

    state: State
    reason: str
    quarantine: tuple[str, ...] = ()

    @property
    def contested(self) -> bool:
        """Whether the newcomer is quarantined by a disagreement."""
        return self.state is State.QUARANTINED


def settle_new(tier: Tier, rivals: Sequence[Standing]) -> Settlement:
    """Decide on a new answer, given the records of its question that answer otherwise.

    A rival judged wrong has no say; one that is itself contested has: else the last of three
    differing answers would win.
    """
    return _against(tier, [r for r in rivals if r.state is State.ACTIVE or r.contested])


def settle_known(tier: Tier, known: Standing, rivals: Sequence[Standing]) -> Settlement:
    """Decide on an answer that is already stored as `known`."""
    if known.state is State.ACTIVE:
        return Settlement(State.ACTIVE, "confirms the record")
    if tier is Tier.VOTE:
        return Settlement(known.state, f"a vote does not revive a {known.state} record")
    if tier.strength < known.tier.strength:
        return Settlement(known.state, f"{tier} is weaker than the {known.tier} it confirms")
    settled = _against(tier, [r for r in rivals if r.state is State.ACTIVE])
    if settled.state is State.ACTIVE:
        reason = f"confirmed by {tier}, active again"
        return Settlement(State.ACTIVE, reason, settled.quarantine)
    return settled


def _against(tier: Tier, rivals: Sequence[Standing]) -> Settlement:
    if not rivals:
        return Settlement(State.ACTIVE, "new question")
    strongest = max((rival.tier for rival in rivals), key=lambda other: other.strength)
    losers = tuple(rival.id for rival in rivals if rival.state is State.ACTIVE)
    if tier.strength > strongest.strength:
        return Settlement(State.ACTIVE, f"{tier} overrules a {strongest} answer", losers)
    if tier is strongest:
        reason = f"another {strongest} answer disagrees: both are quarantined"
        return Settlement(State.QUARANTINED, reason, losers)
    return Settlement(State.QUARANTINED, f"a {strongest} answer outranks this {tier}")

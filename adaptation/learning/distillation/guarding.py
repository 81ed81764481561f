"""Asking the guards: first those near what was trained on, then the far ones, greedily.

Each is put to what is served, and then to the candidate: what is not answered rightly any more is
lost, and what is gained tells losses from chance. Of questions that were taught only what was known
is asked again. Nothing more is asked once one kind of guard has spoken against it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Protocol, TypeVar

from adaptation.conversation import Conversation
from adaptation.learning.distillation.counts import is_most
from adaptation.learning.distillation.guards import GuardOutcome
from adaptation.learning.distillation.judging import Ask

SHORTEST, LONGEST = 0.8, 1.25
"""Bounds of the length of replies to far guards, as shares of what it was."""


class Guard(Protocol):
    """A question that was answered rightly, and is to be."""

    @property
    def question(self) -> str:
        """As a person reads it."""
        ...

    @property
    def family(self) -> str:
        """What it has in common with others."""
        ...

    @property
    def conversation(self) -> Conversation:
        """As it is asked."""
        ...

    @property
    def is_taught(self) -> bool:
        """Whether the candidate may have learned the answer, so that a gain says nothing."""
        ...

    def right(self, reply: str) -> bool:
        """Whether a reply holds the answer."""
        ...


G = TypeVar("G", bound=Guard)


@dataclass(frozen=True)
class Asked:
    """What became of guards of one kind."""

    outcome: GuardOutcome
    before: Mapping[Guard, str] = field(default_factory=dict)
    """Replies of what is served to all of them."""
    after: Mapping[Guard, str] = field(default_factory=dict)
    """Replies of the candidate to those that it was asked."""

    @property
    def unknown(self) -> tuple[str, ...]:
        """Families of which what is served answers nothing."""
        known = self.outcome.families
        return tuple(sorted({guard.family for guard in self.before} - known.keys()))

    @property
    def length(self) -> float | None:
        """Length of the candidate's replies by that of those before, in the median."""
        ratios = self._lengths
        return median(ratios) if ratios else None

    @property
    def is_as_long(self) -> bool:
        """Whether replies stay about as long: no more than chance are too short, or too long."""
        ratios = self._lengths
        short = sum(ratio < SHORTEST for ratio in ratios)
        long = sum(ratio > LONGEST for ratio in ratios)
        return not is_most(max(short, long), len(ratios))

    @property
    def _lengths(self) -> list[float]:
        """Of what was answered rightly before: how long a wrong reply was is nothing to keep."""
        known = known_of(self.before)
        return [len(self.after[guard]) / max(1, len(self.before[guard])) for guard in known]


async def ask_guards(
    ask: Ask, guards: Sequence[Guard], served: str | None, candidate: str, kind: str
) -> Asked:
    """Ask what is served, and then the candidate."""
    before = await ask_before(ask, guards, served, kind)
    return await ask_after(ask, before, candidate, kind)


async def ask_before(
    ask: Ask, guards: Sequence[Guard], served: str | None, kind: str
) -> dict[Guard, str]:
    """Return the replies of what is served."""
    return await _replies(ask, f"{kind} guards", guards, served)


async def ask_after(ask: Ask, before: Mapping[Guard, str], candidate: str, kind: str) -> Asked:
    """Ask the candidate what was known `before`, and what may be gained."""
    known = known_of(before)
    asked = [guard for guard in before if guard in known or not guard.is_taught]
    after = await _replies(ask, f"{kind} guards candidate", asked, candidate)
    return Asked(compare(known, after), before, after)


def known_of(before: Mapping[Guard, str]) -> list[Guard]:
    """Return the guards that were answered rightly."""
    return [guard for guard, reply in before.items() if guard.right(reply)]


def compare(known: Sequence[G], after: Mapping[G, str]) -> GuardOutcome:
    """Hold a candidate's replies against guards that were answered rightly before, `known`."""
    lost = [guard for guard in known if not guard.right(after[guard])]
    gained = Counter(
        guard.family for guard in after.keys() - set(known) if guard.right(after[guard])
    )
    return GuardOutcome(
        before=len(known),
        lost=tuple(guard.question for guard in lost),
        families={
            family: (
                sum(guard.family == family for guard in lost),
                sum(guard.family == family for guard in known),
            )
            for family in sorted({guard.family for guard in known})
        },
        gained=dict(sorted(gained.items())),
    )


async def _replies(
    ask: Ask, phase: str, guards: Sequence[Guard], adapter: str | None
) -> dict[Guard, str]:
    if not guards:
        return {}
    prompts = [guard.conversation for guard in guards]
    return dict(zip(guards, await ask(phase, prompts, adapter), strict=True))


def objections(near: Asked | None, far: Asked | None) -> tuple[str, ...]:
    """Return what the guards say against a candidate."""
    against = []
    if near is not None and not near.outcome.near_held:
        against.append(f"near guards were lost: {near.outcome.told}")
    if far is not None and not far.outcome.held:
        lost = far.outcome.lost
        against.append(f"{len(lost)} guard probes were lost: {'; '.join(lost)}")
    elif far is not None and far.outcome.spoilt:
        against.append(f"far guards were lost: {', '.join(far.outcome.spoilt)}")
    if far is not None and not far.is_as_long:
        against.append(
            f"replies to the guard probes became {far.length:.2f} times as long, "
            f"not {SHORTEST:g} to {LONGEST:g}"
        )
    return tuple(against)

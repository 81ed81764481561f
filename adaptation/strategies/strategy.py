"""What a strategy is, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol

from adaptation.learning.adapted import Adapted
from adaptation.options import Strategy
from adaptation.report import Step, StopReason
from adaptation.session import Session
from adaptation.types import Given
from adaptation.voting.voting import Voting
from memory.types import Neighbour


@dataclass(frozen=True)
class Decision:
    """A vote that has ended, and how it came about."""

    strategy: Strategy
    """What was done in the end, which may be lighter than what was asked for."""
    voting: Voting
    stop: StopReason
    reason: str | None = None
    """Why it was not what was asked for, or was done in another way."""
    adapted: Adapted = field(default_factory=Adapted)
    steps: tuple[Step, ...] = ()
    """What the strategy did besides voting."""
    baseline: Voting | None = None
    """The vote on the base that went before, where another one stands."""
    neighbours: tuple[Neighbour, ...] = ()
    """Neighbours that were shown; those trained on are with `adapted`."""

    def because(self, reason: str | None) -> Decision:
        """Return the same decision with one more reason, before the others."""
        return replace(self, reason="; ".join(each for each in (reason, self.reason) if each))

    @property
    def is_usual(self) -> bool:
        """Whether all votes answer the request's own conversation, and weigh as the server says.

        How other votes fell says nothing of how these will.
        """
        return self.strategy in (Strategy.CONSISTENCY, Strategy.TTT)


class Answering(Protocol):
    """A way to find an answer."""

    rewrites: ClassVar[bool]
    """Whether it puts other conversations to the model in place of the request's."""
    verifies: ClassVar[bool]
    """Whether it is nothing without a verifier."""
    single_choice: ClassVar[bool]
    """Whether it comes to one answer only."""
    is_experimental: ClassVar[bool]
    """Whether it has won on no suite yet: `auto` leaves it alone."""

    async def answer(self, session: Session) -> Decision:
        """Find an answer; raises `EngineError` where all fails, and `DeadlineError`."""
        ...


class Plainly:
    """What most strategies have in common."""

    rewrites: ClassVar[bool] = False
    verifies: ClassVar[bool] = False
    single_choice: ClassVar[bool] = False
    is_experimental: ClassVar[bool] = False


def obstacle(strategy: Answering, given: Given) -> str | None:
    """Return what of its needs a request does not bring, None where it brings all."""
    if strategy.verifies and not given.has_verifiers:
        return "there is no verifier to tell whether a try has failed: send `adaptation.verifiers`"
    if strategy.rewrites and not given.can_be_reworded:
        return (
            "it puts other conversations to the model, and only plain messages can be put another "
            "way: no tools, no parts, no form of the output, no bare prompt"
        )
    if strategy.single_choice and given.choices > 1:
        return "it comes to one answer, and `n` asks for several"
    return None

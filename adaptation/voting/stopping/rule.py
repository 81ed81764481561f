"""The protocol every stopping rule meets, and the wave size that follows from any rule."""

from __future__ import annotations

from typing import Protocol

from adaptation.report import StopReason
from adaptation.voting.ballots import Ballots, leader_probability


class StoppingRule(Protocol):
    """Decides after each vote whether another one is worth drawing.

    These rules certify the *mode* of the answer distribution, not that the mode is correct.
    """

    def stop(self, ballots: Ballots, remaining: int, confidence: float) -> StopReason | None:
        """Return why to stop, or None to go on.

        `remaining` is how many samples may still be drawn (in flight or not yet started);
        `confidence` is the caller's threshold.
        """
        ...

    def leader_probability(self, ballots: Ballots) -> float:
        """P(the leader is the mode | the votes), as this rule sees it."""
        ...


class PriorFreeRule:
    """What rules have in common that know nothing of other votes."""

    def leader_probability(self, ballots: Ballots) -> float:
        """See `StoppingRule.leader_probability`; by the Beta posterior over the first two."""
        return leader_probability(*ballots.top_two)


def next_wave(rule: StoppingRule, ballots: Ballots, remaining: int, confidence: float) -> int:
    """Return the fewest further samples after which `rule` could stop.

    That is the best case: all of them vote for the leader. Fewer could never settle the vote,
    more would be wasted whenever the best case comes true.
    """
    for more in range(1, remaining):
        best = ballots.and_for_the_leader(more)
        if rule.stop(best, remaining - more, confidence) is not None:
            return more
    return remaining

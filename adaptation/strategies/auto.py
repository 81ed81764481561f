"""The cheapest way that is likely to do: votes first, and more only where they are in doubt.

Training begins beside the vote, at the first sample that says otherwise, and is given up where the
vote decides.
"""

from __future__ import annotations

from adaptation.learning.obstacles import obstacle_to_training
from adaptation.learning.overlap import Overlap
from adaptation.options import Options, Strategy
from adaptation.report import StopReason
from adaptation.session import Session
from adaptation.strategies.consistency import CONSISTENCY
from adaptation.strategies.strategy import Decision, Plainly
from adaptation.strategies.ttt import through


class Auto(Plainly):
    """Chooses for each request."""

    async def answer(self, session: Session) -> Decision:
        """See `Answering.answer`."""
        recalled = await session.recall(as_examples=True)
        why = recalled.obstacle or _obstacle(session)
        if why is not None:
            return (await CONSISTENCY.vote(session)).because(why)
        overlap = session.overlap()
        first = await self._first(session, overlap)
        if not in_doubt(first.stop, first.voting.confidence, session.options):
            given_up = await overlap.give_up()
            return Decision(
                Strategy.CONSISTENCY, first.voting, first.stop, given_up.reason, given_up
            )
        adapted = await overlap.result()
        if adapted.adapter is None:
            stop = await session.poll(first.voting)
            return Decision(Strategy.CONSISTENCY, first.voting, stop, adapted.reason, adapted)
        return await _standing(session, first, await through(session, adapted))

    async def _first(self, session: Session, overlap: Overlap) -> Decision:
        """Vote on the base with half of the samples."""
        voting = await session.voting()
        voting.doubted = overlap.begin
        stop = await session.poll(voting, session.options.max_samples // 2)
        return Decision(Strategy.CONSISTENCY, voting, stop)


def in_doubt(stop: StopReason, confidence: float, options: Options) -> bool:
    """Whether a vote ended in time and without a clear winner.

    A narrow lead may be certain to win the samples that were allowed, and be a guess all the same.
    """
    in_time = stop in (StopReason.EXHAUSTED, StopReason.CERTAIN, StopReason.FUTILE)
    return in_time and confidence < options.confidence


async def _standing(session: Session, first: Decision, through_it: Decision) -> Decision:
    """Return the vote that stands once another was drawn through an adapter."""
    adapted, votes = through_it.adapted, through_it.voting.tally.total
    if through_it.stop is StopReason.FAILED and not votes:
        failed = adapted.unused("the engine failed every sample through it")
        stop = await session.poll(first.voting)
        return Decision(Strategy.CONSISTENCY, first.voting, stop, failed.reason, failed)
    if votes >= session.query.choices:
        return through_it
    late = adapted.unused("time or tokens ended before it was sampled")
    return Decision(Strategy.CONSISTENCY, first.voting, through_it.stop, late.reason, late)


def _obstacle(session: Session) -> str | None:
    options, policy = session.options, session.policy
    why = obstacle_to_training(options, session.recalled.neighbours, policy)
    if why is None and options.max_samples // 2 < max(2, session.query.choices):
        why = "too few samples for two votes"
    return why

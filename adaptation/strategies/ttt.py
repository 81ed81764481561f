"""Test-time training, then a vote through the adapter (Akyürek et al. 2024, arXiv 2411.07279).

Its baselines are the vote on the base and the same neighbours as demonstrations; its limits are
what `learning` guards: a few neighbours, their mistakes, and the time that training takes.
"""

from __future__ import annotations

from adaptation.learning.adapted import Adapted
from adaptation.learning.obstacles import obstacle_to_training
from adaptation.learning.overlap import Overlap
from adaptation.options import Strategy
from adaptation.report import StopReason
from adaptation.session import Session
from adaptation.strategies.consistency import CONSISTENCY
from adaptation.strategies.strategy import Decision, Plainly
from adaptation.tries import Came

FAILED = "the engine failed every sample through it"


class TestTimeTraining(Plainly):
    """Trains on what is recalled; without an adapter it votes on the base, and says why."""

    async def answer(self, session: Session) -> Decision:
        """See `Answering.answer`."""
        recalled = await session.recall(as_examples=True)
        why = obstacle_to_training(session.options, recalled.neighbours, session.policy)
        if recalled.obstacle or why:
            return (await CONSISTENCY.vote(session)).because(recalled.obstacle or why)
        adapted = await made(session, session.overlap())
        decision = await through(session, adapted)
        if decision.stop is StopReason.FAILED and not decision.voting.tally.total:
            # The base may still do.
            adapted = adapted.unused(FAILED)
            decision = await through(session, adapted)
        return decision


async def made(session: Session, overlap: Overlap) -> Adapted:
    """Await an adapter, on the account of this strategy also where it comes to none."""
    with session.tries.of(Strategy.TTT):
        adapted = await overlap.result()
    if adapted.adapter is None and adapted.report is not None:
        session.tries.came(Strategy.TTT, Came.TO_NOTHING)
    return adapted


async def through(session: Session, adapted: Adapted) -> Decision:
    """Vote through an adapter; where there is none, on the base."""
    if adapted.adapter is None:
        voting = await session.voting()
        stop = await session.poll(voting)
        return Decision(Strategy.CONSISTENCY, voting, stop, adapted.reason, adapted)
    voting = await session.voting(trained=True)
    stop = await session.poll(voting, adapter=adapted.adapter)
    return Decision(Strategy.TTT, voting, stop, adapted=adapted)

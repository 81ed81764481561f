"""Self-consistency: vote until another sample cannot matter (Wang et al. 2022, arXiv 2203.11171).

Honest baseline of every other strategy: whatever they gain must be more than as many tokens of
votes gain. Its limit: what most samples get wrong alike, it gets wrong with confidence.
"""

from __future__ import annotations

from adaptation.options import Strategy
from adaptation.session import Session
from adaptation.strategies.strategy import Decision, Plainly


class Consistency(Plainly):
    """Draws votes on the request as it is."""

    async def answer(self, session: Session) -> Decision:
        """See `Answering.answer`."""
        await session.recall()
        return await self.vote(session)

    async def vote(self, session: Session) -> Decision:
        """Vote, with what has been recalled already."""
        voting = await session.voting()
        return Decision(Strategy.CONSISTENCY, voting, await session.poll(voting))


CONSISTENCY = Consistency()

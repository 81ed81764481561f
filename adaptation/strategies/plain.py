"""One sample: the baseline of everything.

The server hands `plain` requests to the engine as they came, with their own temperature and their
own stream. This is for whoever has no server around the engine.
"""

from __future__ import annotations

from adaptation.options import Strategy
from adaptation.session import Session
from adaptation.strategies.strategy import Decision, Plainly


class Plain(Plainly):
    """Draws once."""

    async def answer(self, session: Session) -> Decision:
        """See `Answering.answer`."""
        voting = await session.voting()
        stop = await session.poll(voting, session.query.choices)
        return Decision(Strategy.PLAIN, voting, stop)

"""Demonstrations: solved neighbours as earlier turns, then a vote (Brown et al. 2020, 2005.14165).

Works with a single record. Its limits: a small model copies the form of what it is shown and not
the rule, and every sample reads all the demonstrations, so a vote costs more the more are shown.
So neighbours are shown only where that is seen to help on the neighbours themselves (see
`learning.leave_one_out`); elsewhere the answer is that of the vote.
"""

from __future__ import annotations

from adaptation.errors import EngineError
from adaptation.learning.demonstrating import before, demonstrations
from adaptation.options import Strategy
from adaptation.session import Session
from adaptation.strategies.consistency import CONSISTENCY
from adaptation.strategies.strategy import Decision, Plainly
from adaptation.tries import Came
from adaptation.voting.voting import Voting
from memory.types import Neighbour


class Demonstrations(Plainly):
    """Shows the most informative neighbours, the closest last."""

    rewrites = True

    async def answer(self, session: Session) -> Decision:
        """See `Answering.answer`."""
        recalled = await session.recall(as_examples=True)
        with session.tries.of(Strategy.DEMONSTRATIONS):
            why = await session.obstacle_to_showing() if self.chosen(session) else None
            if why is None and (decision := await self.shown(session)) is not None:
                return decision
        session.tries.came(Strategy.DEMONSTRATIONS, Came.TO_NOTHING)
        why = recalled.obstacle or why or "no neighbour in memory can be shown"
        return (await CONSISTENCY.vote(session)).because(why)

    async def shown(self, session: Session, most: int | None = None) -> Decision | None:
        """Vote with what has been recalled before the question; None where nothing can be shown.

        `most` votes are drawn; by default all that are left.
        """
        voting, shown = await self._voting(session, self.chosen(session))
        if voting is None:
            return None
        stop = await session.poll(voting, most)
        return Decision(Strategy.DEMONSTRATIONS, voting, stop, neighbours=tuple(shown))

    def chosen(self, session: Session) -> list[Neighbour]:
        """Return what to show, the closest last."""
        policy, found = session.policy, session.recalled.neighbours
        return demonstrations(found, policy.demonstrations, policy.min_similarity)

    async def _voting(
        self, session: Session, shown: list[Neighbour]
    ) -> tuple[Voting | None, list[Neighbour]]:
        """Return a vote with demonstrations that fit the model's context, the farther half gone
        as often as need be.
        """
        while shown:
            try:
                messages = before(session.query.messages, [each.record for each in shown])
                return await session.voting(messages=messages), shown
            except EngineError:
                shown = shown[(len(shown) + 1) // 2 :]
        return None, []


DEMONSTRATIONS = Demonstrations()

"""Demonstrations: solved neighbours as earlier turns, then a vote (Brown et al. 2020, 2005.14165).

Works with a single record. Its limits: a small model copies the form of what it is shown and not
the rule, and every sample reads all the demonstrations, so a vote costs more the more are shown.
"""

from __future__ import annotations

from collections.abc import Sequence

from adaptation.errors import EngineError
from adaptation.learning.neighbours import select_training_set
from adaptation.options import Strategy
from adaptation.session import Session
from adaptation.strategies.consistency import CONSISTENCY
from adaptation.strategies.strategy import Decision, Plainly
from adaptation.voting.voting import Voting
from memory.types import Message, Neighbour, Record


class Demonstrations(Plainly):
    """Shows the most informative neighbours, the closest last."""

    rewrites = True

    async def answer(self, session: Session) -> Decision:
        """See `Answering.answer`."""
        recalled = await session.recall(as_examples=True)
        if (decision := await self.shown(session)) is not None:
            return decision
        why = recalled.obstacle or "no neighbour in memory can be shown"
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
        policy = session.policy
        chosen = select_training_set(
            session.recalled.neighbours,
            count=policy.demonstrations,
            holdout=0,
            min_similarity=policy.min_similarity,
        ).train
        plain = [each for each in chosen if not each.record.request]
        return sorted(plain, key=lambda each: each.similarity)

    async def _voting(
        self, session: Session, shown: list[Neighbour]
    ) -> tuple[Voting | None, list[Neighbour]]:
        """Return a vote with as many demonstrations as fit the model's context."""
        while shown:
            try:
                messages = before(session.query.messages, [each.record for each in shown])
                return await session.voting(messages=messages), shown
            except EngineError:
                shown = shown[len(shown) // 2 + 1 :] if len(shown) > 1 else []
        return None, []


def before(asked: Sequence[Message], shown: Sequence[Record]) -> tuple[Message, ...]:
    """Return a conversation with solved records as turns before it, behind its system message."""
    system = tuple(asked[:1]) if asked and asked[0].role == "system" else ()
    turns = tuple(
        turn
        for record in shown
        for turn in (
            *(message for message in record.messages if message.role != "system"),
            Message(role="assistant", content=record.rationale),
        )
    )
    return (*system, *turns, *asked[len(system) :])

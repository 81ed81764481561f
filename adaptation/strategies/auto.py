"""The cheapest way that is likely to do: votes first, and more where they are in doubt.

What is remembered costs nothing; a first sample that is sure enough is all that is drawn (see
`calibration`); votes end when another cannot matter. Where they end in doubt, training and
demonstrations are weighed by what they were worth on such questions (`worth`). Those that are worth
their cost go on, demonstrations first, as the cheaper, and training where these are not sure; where
none is, the vote does. What has turned most answers to questions like this one right is done at
once, with no vote before it. Training that is worth most begins beside the vote, at the first
sample that says otherwise, unless demonstrations are known to help here; it is given up where the
vote, or the one with demonstrations, decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

from adaptation.evidence import Known
from adaptation.learning.overlap import Overlap
from adaptation.options import Strategy
from adaptation.report import StopReason
from adaptation.session import Session
from adaptation.strategies.consistency import CONSISTENCY
from adaptation.strategies.demonstrations import DEMONSTRATIONS
from adaptation.strategies.doubt import in_doubt, is_enough, open_ways, pooled, standing
from adaptation.strategies.strategy import Decision, Plainly
from adaptation.strategies.ttt import FAILED, made, through
from adaptation.strategies.worth import best, expected, least_tried, proven
from adaptation.tries import Came
from memory.identity.answers import agree

LEAST = 3
"""Votes with demonstrations that are sure where all agree: of four, three decide."""


class Auto(Plainly):
    """Chooses for each request."""

    async def answer(self, session: Session) -> Decision:
        """See `Answering.answer`."""
        recalled = await session.recall(as_examples=True)
        ways, why = open_ways(session)
        if not ways:
            return (await CONSISTENCY.vote(session)).because(recalled.obstacle or why)
        known = await session.evidence()
        overlap = session.overlap()
        found = await self._proven(session, overlap, proven(ways, known))
        if found is not None:
            return await self._checked(session, found)

        @cache  # what is begun at the first doubt is still worth it where the vote ends
        def worth_it() -> list[Strategy]:
            worths = expected(ways, known, session.tokens_per_sample)
            return best(worths, session.policy.sample_price)

        @cache
        def doubted() -> None:
            if trains_beside(session, worth_it(), known):
                overlap.begin()

        first = await self._first(session, doubted)
        if in_doubt(first.stop, first.voting.confidence, session.options):
            chosen = worth_it()
        else:
            chosen = [least_tried(ways, known)] if session.explores else []
        return await self._further(session, first, overlap, chosen)

    async def _proven(
        self, session: Session, overlap: Overlap, way: Strategy | None
    ) -> Decision | None:
        """Go at once a way that is known to help here; None where it comes to nothing."""
        if way is None:
            return None
        found = await self._gone(session, overlap, way)
        return found if found and is_enough(session, found) else None

    async def _checked(self, session: Session, found: Decision) -> Decision:
        """Return what a proven way came to; where verifiers reject it, a vote stands against it."""
        if not session.query.verifiers or await session.passes(found.voting) is not False:
            return found
        voting = await session.voting()
        stop = await session.poll(voting)
        return await standing(session, Decision(Strategy.CONSISTENCY, voting, stop), found)

    async def _first(self, session: Session, doubted: Callable[[], None]) -> Decision:
        """Vote on the base with half of the samples."""
        voting = await session.voting()
        voting.doubted = doubted
        stop = await session.poll(voting, session.options.max_samples // 2)
        return Decision(Strategy.CONSISTENCY, voting, stop)

    async def _further(
        self, session: Session, first: Decision, overlap: Overlap, chosen: Sequence[Strategy]
    ) -> Decision:
        """Go the chosen ways, the cheapest first, until one is sure; else the vote goes on."""
        shown, is_sure, trains = None, False, Strategy.TTT in chosen
        if Strategy.DEMONSTRATIONS in chosen:
            shown, is_sure = await self._shown(session, first, has_next=trains)
        if trains and not is_sure:
            found = await self._trained(session, overlap)
            if is_enough(session, found):
                return await standing(session, first, found)
            adapted = found.adapted  # what one that is not used has cost is told all the same
        else:
            adapted = await overlap.give_up()
        if shown is not None:
            stop = shown.stop if is_sure else session.ended or await session.poll(shown.voting)
            shown = replace(shown, stop=stop, adapted=adapted, reason=adapted.reason)
            return await standing(session, first, shown)
        is_over = not in_doubt(first.stop, first.voting.confidence, session.options)
        stop = first.stop if is_over else session.ended or await session.poll(first.voting)
        return replace(first, stop=stop, adapted=adapted, reason=adapted.reason)

    async def _shown(
        self, session: Session, first: Decision, *, has_next: bool
    ) -> tuple[Decision | None, bool]:
        """Vote with demonstrations and count the votes before with it; say whether that is sure.

        It is where those with demonstrations are sure by themselves, and the others change nothing.
        Where another way may follow, half of the samples are left to it.
        """
        with session.tries.of(Strategy.DEMONSTRATIONS):
            if await session.obstacle_to_showing() is not None:
                session.tries.came(Strategy.DEMONSTRATIONS, Came.TO_NOTHING)
                return None, False
            most = session.samples_left // 2 if has_next else None
            found = await DEMONSTRATIONS.shown(session, most)
        if found is None or not is_enough(session, found):
            return None, False
        alone = found.voting.tally.groups[0].answer
        tally = found.voting.tally
        is_one_voice = len(tally.groups) == 1 and tally.total >= LEAST
        is_sure = is_one_voice or found.voting.confidence >= session.options.confidence
        together = await pooled(session, first, found)
        leader = together.voting.tally.groups[0].answer
        agrees = alone is not None and leader is not None and agree(alone.key, leader.key)
        return together, is_sure and agrees

    async def _gone(self, session: Session, overlap: Overlap, way: Strategy) -> Decision | None:
        """Vote in another way; None where nothing can be shown."""
        if way is Strategy.TTT:
            return await self._trained(session, overlap)
        with session.tries.of(Strategy.DEMONSTRATIONS):
            return await DEMONSTRATIONS.shown(session)

    async def _trained(self, session: Session, overlap: Overlap) -> Decision:
        """Vote through an adapter; without one, or without a vote, the tally is empty."""
        adapted = await made(session, overlap)
        if adapted.adapter is None:
            return Decision(
                Strategy.CONSISTENCY, await session.voting(), StopReason.EXHAUSTED, adapted=adapted
            )
        with session.tries.of(Strategy.TTT):
            found = await through(session, adapted)
        if is_enough(session, found):
            return found
        failed = found.stop is StopReason.FAILED
        why = FAILED if failed else "time or tokens ended before it was sampled"
        return replace(found, adapted=adapted.unused(why))


def trains_beside(session: Session, worth_it: Sequence[Strategy], known: Known) -> bool:
    """Whether training begins before a vote in doubt has ended.

    Where it is worth most; demonstrations go before it, but seldom make it needless. Where they are
    known to help on the neighbours they may, and training awaits them.
    """
    if worth_it[:1] != [Strategy.TTT]:
        return False
    return Strategy.DEMONSTRATIONS not in worth_it or not session.showing_helps(known)

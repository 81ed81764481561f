"""Rounds of practice: exercises are posed, tried, judged by execution, and kept for learning.

One family after the other has a round. Its controller then sets how hard the next one is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from adaptation.errors import PracticeError
from adaptation.learning.practice.controller import Controller, start
from adaptation.learning.practice.exercise import Exercise
from adaptation.learning.practice.posing import Poser
from adaptation.learning.practice.solving import Attempted, Try, attempt
from adaptation.learning.practice.tally import Tally
from adaptation.verifiers.python_tests import code_of
from memory.types import Draft, Message, Source

ROUND = 8
"""Exercises posed at a time."""

Novel = Callable[[Sequence[Exercise]], Awaitable[list[Exercise]]]
Keep = Callable[[Sequence[Draft]], Awaitable[None]]
Told = Callable[[Sequence[Tally]], Awaitable[None]]


@dataclass(frozen=True)
class Practice:
    """Practises for one tenant."""

    tenant: str
    model: str
    adapter: str | None
    """What solves: the version that is served; None for the base."""
    reply: Try
    novel: Novel
    keep: Keep
    told: Told
    """After each round, with how all families went: whoever goes on begins there."""
    seed: int = 0
    """Another seed poses other exercises."""
    raised: int = 0
    """Levels above the middle at which a family begins."""

    async def run(
        self, posers: Sequence[Poser], n: int, before: Sequence[Tally] = ()
    ) -> list[Tally]:
        """Try `n` exercises, in turns of the posers; raises `PracticeError` where none is posed.

        `before` is what was told after the last round of one that was interrupted.
        """
        tallies = list(before) or [self._begun(poser) for poser in posers]
        while (left := n - sum(each.posed for each in tallies)) > 0:
            places = [place for place, each in enumerate(tallies) if each.is_open]
            if not places:
                break
            place = min(places, key=lambda each: len(tallies[each].levels))
            tallies[place] = await self._round(posers[place], tallies[place], min(left, ROUND))
            await self.told(tallies)
        if not any(each.posed for each in tallies):
            raise PracticeError(_nothing(tallies))
        return tallies

    def _begun(self, poser: Poser) -> Tally:
        place = start(poser.family.levels, self.raised)
        return Tally(family=poser.family.name, source=poser.source, place=place)

    async def _round(self, poser: Poser, tally: Tally, n: int) -> Tally:
        """Pose, try and keep what teaches."""
        controller = Controller(poser.family.levels, tally.place)
        level, seed = controller.level, self.seed + len(tally.levels)
        posed = await poser.pose(n, level, seed)
        fresh = await self.novel(posed.exercises)
        tried = await attempt(fresh, self.reply)
        kept = [each for each in tried if each.teaches]
        await self.keep([self._draft(each, poser.source) for each in kept])
        if tried:
            controller.learn(sum(each.pass_rate for each in tried) / len(tried))
        elif not posed.exercises and not posed.refused:  # there are none so difficult
            controller.learn(0.0)
        known = len(posed.exercises) - len(fresh)
        after = tally.after(level, tried, refused=posed.refused, known=known)
        return after.model_copy(update={"place": controller.place})

    def _draft(self, tried: Attempted, source: Source) -> Draft:
        exercise, solution = tried.exercise, tried.solution
        assert solution is not None
        practice = {
            "family": exercise.family,
            "level": exercise.level,
            "pass_rate": tried.pass_rate,
            "tries": tried.tries,
            "solution": "own" if tried.right else "generator",
        }
        return Draft(
            tenant=self.tenant,
            task=exercise.family,
            messages=(Message(role="user", content=exercise.question),),
            answer=code_of(solution) if exercise.answer is None else exercise.answer,
            rationale=solution,
            tier=exercise.tier,
            source=source,
            evidence={"practice": practice},
            model=self.model,
            adapter=self.adapter,
        )


def _nothing(tallies: Sequence[Tally]) -> str:
    refused, known = (sum(getattr(t, name) for t in tallies) for name in ("refused", "known"))
    return (
        f"no exercise could be tried: {known} are in memory already, and of {refused} that the "
        "model wrote nothing computes the answer. Name other families, or serve a larger model"
    )

"""Vetting a candidate that the answers speak for: near guards, far ones, then sampled ones.

Nothing more is asked once one kind of guard has spoken against it: each costs more than the last.
Where others than the one that trains are free, all are asked at once, and what is served is asked
before there is a candidate.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

from adaptation.learning.distillation.asking import Asking
from adaptation.learning.distillation.early import Early
from adaptation.learning.distillation.guarding import (
    Asked,
    Guard,
    ask_after,
    ask_before,
    known_of,
    objections,
)
from adaptation.learning.distillation.judging import Ask, Grade
from adaptation.learning.distillation.report import Sampled
from adaptation.learning.distillation.sampling import Sampling, sampled_objections
from adaptation.learning.distillation.telling import guards_told
from memory.types import Record

T = TypeVar("T")
S = TypeVar("S")
DRAWS, ENOUGH = 4, 30
"""Near guards are drawn again, so often at most, from a model that has fewer than half of the
computed ones right, until so many are known: of a dozen nobody can tell a loss from chance."""
Drawing = Callable[[int], Awaitable[Sequence[Guard]]]
"""Seed → near guards."""


@asynccontextmanager
async def drawn_ahead(draw: Drawing) -> AsyncIterator[Drawing]:
    """Yield `draw` with its first draw under way: an embedder takes seconds to load for it."""
    first = asyncio.ensure_future(draw(0))

    async def drawing(seed: int) -> Sequence[Guard]:
        return await (draw(seed) if seed else asyncio.shield(first))

    try:
        yield drawing
    finally:  # a thread may not outlive what it reads
        await asyncio.gather(first, return_exceptions=True)


@dataclass(frozen=True)
class Vetted:
    """What the guards found; None of those that were not asked."""

    near: Asked | None = None
    far: Asked | None = None
    sampled: Sampled | None = None

    @property
    def objections(self) -> tuple[str, ...]:
        """What speaks against the candidate."""
        return (*objections(self.near, self.far), *sampled_objections(self.sampled))

    @property
    def told(self) -> dict[str, object]:
        """For the report."""
        return {
            "guards": guards_told(self.far),
            "near_guards": guards_told(self.near),
            "sampled": self.sampled,
        }

    @property
    def replies(self) -> tuple[dict[str, str], dict[str, str]]:
        """To far guards that were known, by question: of what is served, and of the candidate."""
        if self.far is None:
            return {}, {}
        known = known_of(self.far.before)
        return (
            {guard.question: self.far.before[guard] for guard in known},
            {guard.question: self.far.after[guard] for guard in known},
        )


@dataclass(frozen=True)
class Kinds(Generic[T, S]):
    """What is found of each kind of guards. Leaving gives up what nobody came for."""

    near: Early[T]
    far: Early[T]
    sampled: Early[S] | None

    def begin(self) -> None:
        """Begin all at once, first with what takes longest."""
        for each in self._all:
            each.begin()

    async def __aenter__(self) -> Kinds[T, S]:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    async def end(self) -> None:
        """Give all up at once: the turns of one would go to the next."""
        await asyncio.gather(*(each.end() for each in self._all))

    @property
    def _all(self) -> list[Early[Any]]:
        return [each for each in (self.sampled, self.near, self.far) if each is not None]


class Vetting:
    """Asks what is served, and then a candidate."""

    def __init__(
        self,
        asking: Asking,
        grade: Grade,
        draw: Drawing,
        far: Sequence[Guard],
        holdout: Sequence[Record],
        served: str | None,
    ) -> None:
        """Without any `far` guard none is asked at all. `holdout` are held-out questions, of which
        the first are sampled; `served` is a folder, None for the base.
        """
        self._asking, self._grade, self._aside = asking, grade, asking.beside()
        self._far, self._holdout = far, holdout
        first = self._aside or asking
        drawn = partial(self._sampling(first).before, far, holdout, served)
        self._before = Kinds(
            near=Early(partial(ask_drawn, first.generate, draw, served)),
            far=Early(partial(ask_before, first.generate, far, served, "far")),
            sampled=Early(drawn) if asking.settings.samples else None,
        )

    async def __aenter__(self) -> Vetting:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._before.end()

    def begin(self) -> None:
        """Ask what is served now, where that is no burden to a training."""
        if self._aside is not None and self._far:
            self._before.begin()

    async def of(self, candidate: str) -> Vetted:
        """Ask a candidate, in a folder: one kind after the other, or at once where many ask."""
        if not self._far:
            return Vetted()
        drawn = partial(self._sampled_of, candidate)
        after = Kinds(
            near=Early(partial(self._asked, self._before.near, candidate, "near")),
            far=Early(partial(self._asked, self._before.far, candidate, "far")),
            sampled=Early(drawn) if self._before.sampled else None,
        )
        async with after:
            if self._aside is not None:
                after.begin()
            found = Vetted(await after.near.found())
            if not found.objections:
                found = replace(found, far=await after.far.found())
            if after.sampled is not None and not found.objections:
                found = replace(found, sampled=await after.sampled.found())
        return found

    async def _asked(self, before: Early[dict[Guard, str]], candidate: str, kind: str) -> Asked:
        return await ask_after(self._asking.generate, await before.found(), candidate, kind)

    async def _sampled_of(self, candidate: str) -> Sampled:
        assert self._before.sampled is not None
        sampling = self._sampling(self._asking)
        after = await sampling.after(self._far, self._holdout, candidate)
        return await sampling.compared(await self._before.sampled.found(), after, candidate)

    def _sampling(self, asking: Asking) -> Sampling:
        return Sampling(asking.sample, asking.measure, self._grade)


async def ask_drawn(ask: Ask, draw: Drawing, served: str | None) -> dict[Guard, str]:
    """Return the replies of what is served to near guards, of several draws where it is weak.

    Of later draws only what is computed is asked.
    """
    before: dict[Guard, str] = {}
    for seed in range(DRAWS):
        drawn = [each for each in await draw(seed) if each not in before]
        new = [each for each in drawn if seed == 0 or not each.is_taught]
        before |= await ask_before(ask, new, served, "near")
        computed = {each: reply for each, reply in before.items() if not each.is_taught}
        right = len(known_of(computed))
        if not right or right >= min(ENOUGH, len(computed) / 2):
            break
    return before

"""Vetting a candidate that the answers speak for: near guards, far ones, then sampled ones.

Nothing more is asked once one kind of guard has spoken against it: each costs more than the last.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from adaptation.learning.distillation.guarding import (
    Asked,
    Guard,
    ask_after,
    ask_before,
    ask_guards,
    known_of,
    objections,
)
from adaptation.learning.distillation.judging import Ask
from adaptation.learning.distillation.report import Sampled
from adaptation.learning.distillation.sampling import Sampling, sampled_objections
from adaptation.learning.distillation.telling import guards_told
from memory.types import Record

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
class Vetting:
    """Asks what is served (a folder; None: the base) and a candidate in another folder."""

    ask: Ask
    sampling: Sampling | None
    served: str | None
    candidate: str

    async def of(self, draw: Drawing, far: Sequence[Guard], holdout: Sequence[Record]) -> Vetted:
        """Ask one kind after the other; `holdout` are held-out questions that may be sampled."""
        before = await ask_drawn(self.ask, draw, self.served)
        found = Vetted(near=await ask_after(self.ask, before, self.candidate, "near"))
        if found.objections:
            return found
        asked = await ask_guards(self.ask, far, self.served, self.candidate, "far")
        found = Vetted(found.near, asked)
        if found.objections or self.sampling is None:
            return found
        sampled = await self.sampling.compare(far, holdout, self.served, self.candidate)
        return Vetted(found.near, found.far, sampled)


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

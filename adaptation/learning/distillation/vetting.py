"""Vetting a candidate that the answers speak for: near guards, far ones, then sampled ones.

Nothing more is asked once one kind of guard has spoken against it: each costs more than the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adaptation.learning.distillation.guarding import Asked, Guard, ask_guards, objections
from adaptation.learning.distillation.judging import Ask
from adaptation.learning.distillation.report import Sampled
from adaptation.learning.distillation.sampling import Sampling, sampled_objections
from adaptation.learning.distillation.telling import guards_told
from memory.types import Record


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
        """To far guards, by question: of what is served, and of the candidate."""
        if self.far is None:
            return {}, {}
        before, after = self.far.before, self.far.after
        return (
            {guard.question: text for guard, text in before.items()},
            {guard.question: text for guard, text in after.items()},
        )


@dataclass(frozen=True)
class Vetting:
    """Asks what is served (a folder; None: the base) and a candidate in another folder."""

    ask: Ask
    sampling: Sampling | None
    served: str | None
    candidate: str

    async def of(
        self, near: Sequence[Guard], far: Sequence[Guard], holdout: Sequence[Record]
    ) -> Vetted:
        """Ask one kind after the other; `holdout` are held-out questions that may be sampled."""
        found = Vetted(near=await self._asked(near, "near"))
        if found.objections:
            return found
        found = Vetted(found.near, await self._asked(far, "far"))
        if found.objections or self.sampling is None:
            return found
        sampled = await self.sampling.compare(far, holdout, self.served, self.candidate)
        return Vetted(found.near, found.far, sampled)

    async def _asked(self, guards: Sequence[Guard], kind: str) -> Asked:
        return await ask_guards(self.ask, guards, self.served, self.candidate, kind)

"""The seam to where scores, selections and written solutions are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from memory.versions.candidates import Candidate, Selection, WorkedSolution


class Kept(Protocol):
    """Where they are kept; `memory.versions.candidates.CandidateStore` is one."""

    def add(self, choice: Selection, considered: Sequence[Candidate]) -> None:
        """Note how a generation chose, and among what."""
        ...

    def selections(self, tenant: str, base_model: str) -> Sequence[Selection]:
        """Return how a tenant's generations on a base chose, the oldest first."""
        ...

    def known(self, tenant: str, base_model: str) -> Mapping[str, Candidate]:
        """Return by record the newest scores under a base."""
        ...

    def solutions(self, tenant: str, base_model: str) -> Mapping[str, WorkedSolution]:
        """Return by record what a base wrote for a tenant."""
        ...

    def add_solution(self, new: WorkedSolution) -> None:
        """Keep what a model wrote."""
        ...


@dataclass
class KeptHere:
    """What one process keeps, for a run that is forgotten with it."""

    chosen: list[Selection] = field(default_factory=list)
    considered: list[Candidate] = field(default_factory=list)
    written: dict[tuple[str, str, str], WorkedSolution] = field(default_factory=dict)

    def add(self, choice: Selection, considered: Sequence[Candidate]) -> None:
        """Note how a generation chose, and among what."""
        self.chosen.append(choice)
        self.considered += considered

    def selections(self, tenant: str, base_model: str) -> Sequence[Selection]:
        """Return how a tenant's generations on a base chose, the oldest first."""
        return [s for s in self.chosen if (s.tenant, s.base_model) == (tenant, base_model)]

    def known(self, tenant: str, base_model: str) -> Mapping[str, Candidate]:
        """Return by record the newest scores under a base."""
        mine = (c for c in self.considered if (c.tenant, c.base_model) == (tenant, base_model))
        return {each.record_id: each for each in mine}

    def solutions(self, tenant: str, base_model: str) -> Mapping[str, WorkedSolution]:
        """Return by record what a base wrote for a tenant."""
        mine = (s for s in self.written.values() if s.tenant == tenant)
        return {each.record_id: each for each in mine if each.base_model == base_model}

    def add_solution(self, new: WorkedSolution) -> None:
        """Keep what a model wrote."""
        self.written[new.tenant, new.record_id, new.base_model] = new

"""The seams to where generations, and what was found of them, are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from adaptation.errors import DistillationError
from memory.types import AdapterVersion
from memory.versions.adapters import NewVersion
from memory.versions.judgements import Judgement


class Registry(Protocol):
    """Where versions are kept; `memory.versions.adapters.AdapterRegistry` is one."""

    def alias(self, tenant: str, name: str, /) -> AdapterVersion | None:
        """What an alias such as `champion` points to."""
        ...

    def list(self, tenant: str, /) -> Sequence[AdapterVersion]:
        """Return a tenant's versions."""
        ...

    def files_ok(self, version: AdapterVersion, /) -> bool:
        """Whether a version's files are there and whole; fetches what another server made."""
        ...

    def register(self, folder: Path, new: NewVersion, /) -> AdapterVersion:
        """Copy an adapter into the registry, its release begun at a stage, or refused."""
        ...

    def replace(self, tenant: str, retired_id: str, adapter_id: str, /) -> None:
        """Note which version was trained in the place of a retired one."""
        ...


class Judgements(Protocol):
    """Where it is kept what the gate found; `memory.versions.judgements.JudgementStore` is one."""

    def add(self, new: Judgement) -> None:
        """Remember a judgement."""
        ...

    def of(self, tenant: str, base_model: str) -> Sequence[Judgement]:
        """Return those of a tenant on one base, the oldest first."""
        ...


@dataclass
class JudgementList:
    """Judgements of one process, for a run that is forgotten with it."""

    kept: list[Judgement] = field(default_factory=list)

    def add(self, new: Judgement) -> None:
        """Remember a judgement."""
        self.kept.append(new)

    def of(self, tenant: str, base_model: str) -> Sequence[Judgement]:
        """Return those of a tenant on one base, the oldest first."""
        return [j for j in self.kept if (j.tenant, j.base_model) == (tenant, base_model)]


def served_on(
    registry: Registry, tenant: str, base_model: str, *names: str
) -> AdapterVersion | None:
    """Return what is served on a base; a champion of another base serves nothing on it.

    `names` are further aliases that it may stand under where another has taken its place.
    """
    champion = registry.alias(tenant, "champion")
    others = (registry.alias(tenant, name) for name in names if champion is not None)
    found = (champion, *others)
    return next((v for v in found if v is not None and v.base_model == base_model), None)


def refuse_damaged(
    registry: Registry, champion: AdapterVersion | None, parent: AdapterVersion | None
) -> None:
    """Raise `DistillationError` where files are missing of what is served or trained on from."""
    ways_out = ("`whet adapters reset` serves the base instead", "choose another --parent")
    for version, way_out in zip((champion, parent), ways_out, strict=True):
        if version is not None and not registry.files_ok(version):
            raise DistillationError(f"the files of {version.id} are missing or damaged: {way_out}")

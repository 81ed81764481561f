"""The seam to where generations are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from memory.types import AdapterVersion


class Registry(Protocol):
    """Where versions are kept; `memory.adapters.AdapterRegistry` is one."""

    def alias(self, tenant: str, name: str, /) -> AdapterVersion | None:
        """What an alias such as `champion` points to."""
        ...

    def files_ok(self, version: AdapterVersion, /) -> bool:
        """Whether a version's files are there and whole; fetches what another server made."""
        ...

    def register(
        self,
        folder: Path,
        *,
        tenant: str,
        base_model: str,
        parent: str | None,
        rank: int,
        metrics: dict[str, object],
        record_ids: tuple[str, ...],
    ) -> AdapterVersion:
        """Copy an adapter into the registry."""
        ...

    def promote(self, tenant: str, adapter_id: str) -> AdapterVersion:
        """Serve a version."""
        ...

    def record_reject(self, tenant: str, adapter_id: str, reason: str) -> AdapterVersion:
        """Note why a version is not served."""
        ...

    def replace(self, tenant: str, retired_id: str, adapter_id: str, /) -> None:
        """Note which version was trained in the place of a retired one."""
        ...

"""What each tenant has in place of the server's: limits, and calibrations.

The form that commands and routes show it in. Who is held to it is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from memory.memory import LongTermMemory
from memory.tenants import Limits


@dataclass(frozen=True)
class Own:
    """What one tenant has of its own."""

    tenant: str
    limits: Limits = field(default_factory=Limits)
    calibrations: tuple[str, ...] = ()
    """The models it is calibrated for by itself."""

    def shown(self) -> dict[str, Any]:
        """Return it for programs to read."""
        return {
            "id": self.tenant,
            "limits": self.limits.model_dump(),
            "calibrations": list(self.calibrations),
        }


def owners(memory: LongTermMemory) -> list[Own]:
    """Return what is their own of all tenants that have anything."""
    limits, models = memory.tenants.list(), memory.calibrations.models()
    return [
        Own(tenant, limits.get(tenant, Limits()), tuple(models.get(tenant, ())))
        for tenant in sorted({*limits, *models})
    ]


def own_of(memory: LongTermMemory, tenant: str) -> Own:
    """Return what is one tenant's own."""
    return next((own for own in owners(memory) if own.tenant == tenant), Own(tenant))

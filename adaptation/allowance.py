"""What a tenant may still use today: asked before, told afterwards."""

from __future__ import annotations

from typing import Protocol


class Allowance(Protocol):
    """Knows every tenant's."""

    def training_steps(self, tenant: str) -> int | None:
        """Return how many steps may still be trained; None: no limit."""
        ...

    def trained(self, tenant: str, steps: int) -> None:
        """Note steps of training."""
        ...

    def records(self, tenant: str) -> int | None:
        """Return how many records may still be saved; None: no limit."""
        ...

    def saved(self, tenant: str) -> None:
        """Note a saved record."""
        ...


class Unlimited:
    """Allows everything to everybody."""

    def training_steps(self, tenant: str) -> int | None:
        """See `Allowance.training_steps`."""
        return None

    def trained(self, tenant: str, steps: int) -> None:
        """See `Allowance.trained`."""

    def records(self, tenant: str) -> int | None:
        """See `Allowance.records`."""
        return None

    def saved(self, tenant: str) -> None:
        """See `Allowance.saved`."""

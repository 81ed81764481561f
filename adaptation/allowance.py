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
        """Return how many records may still be saved, never none; None: no limit.

        Raises `memory.errors.SpentError`. Reads the database, so it is for no event loop.
        """
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

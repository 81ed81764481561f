"""Which adapter versions the moving names point to; for the command line and HTTP alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memory.adapters import AdapterRegistry, AliasName

ALIASES: tuple[AliasName, ...] = ("candidate", "champion", "previous")


def aliases_of(registry: AdapterRegistry, tenant: str) -> dict[str, str]:
    """Return the version id behind each alias; those that point nowhere are left out."""
    found = {name: registry.alias(tenant, name) for name in ALIASES}
    return {name: version.id for name, version in found.items() if version is not None}

"""Which adapter versions the names point to; for the command line and HTTP alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memory.versions.model_names import PREFIX

if TYPE_CHECKING:
    from memory.versions.adapters import AdapterRegistry, AliasName

ALIASES: tuple[AliasName, ...] = ("candidate", "champion", "previous")


def aliases_of(registry: AdapterRegistry, tenant: str) -> dict[str, str]:
    """Return the version id behind each alias and each name of a fine-tuned model."""
    found = {name: registry.alias(tenant, name) for name in ALIASES}
    moving = {name: version.id for name, version in found.items() if version is not None}
    models = registry.named(tenant, PREFIX)
    return moving | {name: version.id for name, version in models.items()}

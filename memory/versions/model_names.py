"""What fine-tuned models are called: names of adapter versions that clients ask for by `model`.

A name is an alias of a version, beside `champion` and the like; it belongs to one tenant.
"""

from __future__ import annotations

from memory.errors import NotFoundError
from memory.types import AdapterVersion
from memory.versions.adapters import AdapterRegistry

PREFIX = "ft:"
"""What every name begins with, as at OpenAI: `ft:BASE:ORGANISATION:SUFFIX:ID`."""


def is_model_name(name: str) -> bool:
    """Whether a name is of the form of a fine-tuned model's."""
    return name.startswith(PREFIX)


class ModelNames:
    """The fine-tuned models of all tenants."""

    def __init__(self, registry: AdapterRegistry) -> None:
        self._registry = registry

    def find(self, tenant: str, name: str) -> AdapterVersion | None:
        """Return the version of a name; None where the tenant has no such model."""
        return self._registry.alias(tenant, name) if is_model_name(name) else None

    def list(self, tenant: str) -> dict[str, AdapterVersion]:
        """Return a tenant's models by name."""
        return self._registry.named(tenant, PREFIX)

    def remove(self, tenant: str, name: str) -> None:
        """Forget a model, and its weights where nothing else calls for them.

        Raises `NotFoundError`.
        """
        if not is_model_name(name):
            raise NotFoundError(f"no model {name}")
        self._registry.unname(tenant, name, f"its model {name} was deleted")

"""What fine-tuned models are called: names of adapter versions that clients ask for by `model`.

A name is an alias of a version, beside `champion` and the like; it belongs to one tenant.
"""

from __future__ import annotations

from memory.adapters import AdapterRegistry
from memory.errors import ConflictError, NotFoundError
from memory.store.database import Database
from memory.store.schema import alias
from memory.store.upsert import upsert
from memory.types import AdapterVersion

PREFIX = "ft:"
"""What every name begins with, as at OpenAI: `ft:BASE:ORGANISATION:SUFFIX:ID`."""


def is_model_name(name: str) -> bool:
    """Whether a name is of the form of a fine-tuned model's."""
    return name.startswith(PREFIX)


class ModelNames:
    """The fine-tuned models of all tenants."""

    def __init__(self, database: Database, registry: AdapterRegistry) -> None:
        self._database, self._registry = database, registry

    def give(self, tenant: str, name: str, adapter_id: str) -> None:
        """Call a version by a name; one that was given already is another version's from now on.

        Raises `NotFoundError` for a version that is not the tenant's, `ConflictError` for a name of
        another form or a version that is retired.
        """
        if not is_model_name(name):
            raise ConflictError(f"{name} is no name of a fine-tuned model: it begins with {PREFIX}")
        version = self._registry.show(tenant, adapter_id)
        if version.retired is not None:
            raise ConflictError(f"{adapter_id} is retired: {version.retired.reason}")
        row = {"tenant": tenant, "name": name, "adapter_id": adapter_id}
        with self._database.writing(tenant) as connection:
            upsert(connection, alias, ("tenant", "name"), row)

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

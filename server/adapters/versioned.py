"""Generations that are asked for by their number: `whet-pebble@3`, or `champion@3`.

A number is the tenant's own on the base that is served. What was rejected or retired is not served
to anybody.
"""

from __future__ import annotations

import re

from memory.types import AdapterVersion
from memory.versions.adapter_versions import AdapterVersions
from memory.versions.model_names import is_model_name

CHAMPION = "champion"
_ASKED = re.compile(r"(?s)(.+)@([1-9][0-9]{0,8})")


def version_asked(model: str) -> tuple[str, int] | None:
    """Return the name and the number of a generation, None for a name of another form."""
    found = _ASKED.fullmatch(model)
    return (found[1], int(found[2])) if found and not is_model_name(model) else None


def is_own_name(model: str) -> bool:
    """Whether a name is of the form of a tenant's own: a fine-tuned model's, or a generation's."""
    return is_model_name(model) or version_asked(model) is not None


def alias_asked(model: str) -> str:
    """Return what the engine's places know a model by: one generation has one place."""
    asked = version_asked(model)
    return f"{CHAMPION}@{asked[1]}" if asked else model


def version_of(
    registry: AdapterVersions, tenant: str, base_model: str, alias: str
) -> AdapterVersion | None:
    """Return the version behind an alias, or a generation by its number."""
    asked = version_asked(alias)
    if asked is None:
        return registry.alias(tenant, alias)
    found = registry.numbered(tenant, base_model, asked[1])
    fit = found is not None and found.rejected is None and found.retired is None
    return found if fit else None


class Generations:
    """The generations of all tenants on the base that is served."""

    def __init__(self, registry: AdapterVersions, base_model: str, names: tuple[str, ...]) -> None:
        """`names` are what clients call the base."""
        self._registry, self._base_model, self.names = registry, base_model, names

    def find(self, tenant: str, model: str) -> AdapterVersion | None:
        """Return a tenant's generation by what a client calls it; None where there is none."""
        asked = version_asked(model)
        if asked is None or model in self.names or asked[0] not in (*self.names, CHAMPION):
            return None
        return version_of(self._registry, tenant, self._base_model, model)

    def list(self, tenant: str) -> dict[str, AdapterVersion]:
        """Return a tenant's generations that are served, the newest first, by name."""
        found = self._registry.list(tenant)
        own = (v for v in found if v.base_model == self._base_model and v.number)
        fit = (v for v in own if v.rejected is None and v.retired is None)
        return {f"{self.names[0]}@{version.number}": version for version in fit}

"""`/v1/models`: the served model, also under each strategy's name, and a tenant's fine-tuned ones.

Replaces vLLM's listing, which shows every adapter to everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter

from adaptation.options import Strategy
from memory.types import AdapterVersion
from memory.versions.model_names import ModelNames, is_model_name
from server.adapters.versioned import Generations
from server.refusals.errors import ApiError, unknown_model
from server.requests.request_options import split_model
from server.tenancy.principal import Tenant

GENERATION = "a generation: what learned from a record goes with the record"


@dataclass(frozen=True)
class _Cards:
    """How clients see a model; `created` is Unix seconds, `max_model_len` tokens."""

    embedder: str
    max_model_len: int
    created: int

    def served(self, model: str) -> dict[str, Any]:
        """Return that of a served model, or of the embedder."""
        shown = {"id": model, "object": "model", "created": self.created, "owned_by": "whet"}
        return shown if model == self.embedder else {**shown, "max_model_len": self.max_model_len}

    def tuned(self, name: str, version: AdapterVersion, tenant: str) -> dict[str, Any]:
        """Return that of a version that a tenant owns."""
        made = int(version.created_at.timestamp())
        base = {"created": made, "owned_by": tenant, "root": version.base_model}
        return {**self.served(name), **base}


def models_router(
    names: tuple[str, ...],
    max_model_len: int,
    embedder: str,
    created: int,
    models: ModelNames,
    generations: Generations,
) -> APIRouter:
    """Return the routes; `created` is Unix seconds, `max_model_len` tokens.

    `models` are the fine-tuned ones of all tenants.
    """
    router = APIRouter(tags=["models"])
    served, cards = [*_with_suffixes(names), embedder], _Cards(embedder, max_model_len, created)

    @router.get("/v1/models")
    def list_models(tenant: Tenant) -> dict[str, Any]:
        """List the model, also by each strategy's name, the tenant's own, and the embedder."""
        owned = models.list(tenant) | generations.list(tenant)
        mine = [cards.tuned(name, version, tenant) for name, version in owned.items()]
        return {"object": "list", "data": [*map(cards.served, served), *mine]}

    @router.get("/v1/models/{model:path}")
    def retrieve_model(model: str, tenant: Tenant) -> dict[str, Any]:
        """Return one of them."""
        own = split_model(model)[0]
        version = models.find(tenant, own) or generations.find(tenant, own)
        if version is not None:
            return cards.tuned(model, version, tenant)
        if model not in served:
            raise unknown_model(model)
        return cards.served(model)

    _add_deletion(router, served, models, generations)
    return router


def _add_deletion(
    router: APIRouter, served: Sequence[str], models: ModelNames, generations: Generations
) -> None:
    @router.delete("/v1/models/{model:path}")
    def delete_model(model: str, tenant: Tenant) -> dict[str, Any]:
        """Delete a fine-tuned model of the tenant's."""
        if model in served:
            raise _undeletable(model, "what is served: only fine-tuned models can be deleted")
        if generations.find(tenant, model) is not None:
            raise _undeletable(model, GENERATION)
        if not is_model_name(model) or models.find(tenant, model) is None:
            raise unknown_model(model)
        models.remove(tenant, model)
        return {"id": model, "object": "model", "deleted": True}


def _with_suffixes(names: tuple[str, ...]) -> list[str]:
    suffixes = ("", *(f":{strategy}" for strategy in Strategy))
    return [f"{name}{suffix}" for name in names for suffix in suffixes]


def _undeletable(model: str, why: str) -> ApiError:
    return ApiError(400, f"`{model}` is {why}", param="model")

"""`/v1/adapters`: the caller's distilled adapters, and which of them is served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from pydantic import Field

from memory.memory import LongTermMemory
from memory.types import AdapterVersion, Frozen
from memory.versions.adapters import AdapterRegistry
from memory.versions.release import Releases, Stage, Step
from server.adapters.aliases import aliases_of
from server.routes.paging import Id, list_object
from server.tenancy.principal import Tenant


class MoveBody(Frozen):
    """How a version is to be served."""

    anyway: bool = Field(default=False, strict=True)
    """Though a fine-tuned one lost what the model knew before."""


def adapters_router(memory: LongTermMemory, first: Stage) -> APIRouter:
    """Return the routes, over the registry of `memory`; what is approved begins at `first`."""
    router = APIRouter(prefix="/v1/adapters", tags=["adapters"])
    _add_views(router, memory.adapters, memory.releases)
    _add_moves(router, memory.adapters)
    _add_approval(router, memory.adapters, first)
    return router


def adapter_object(version: AdapterVersion, aliases: Mapping[str, str]) -> dict[str, Any]:
    """Return a version as it is on the wire; where its files lie is nobody's business."""
    return {
        "object": "adapter",
        "id": version.id,
        "number": version.number,
        "base_model": version.base_model,
        "parent": version.parent,
        "rank": version.rank,
        "created_at": int(version.created_at.timestamp()),
        "aliases": [name for name, adapter_id in aliases.items() if adapter_id == version.id],
        "records": len(version.record_ids),
        "metrics": dict(version.metrics),
        "rejected": version.rejected,
        "retired": version.retired.reason if version.retired else None,
    }


def step_object(step: Step) -> dict[str, Any]:
    """Return a stage of a release as it is on the wire."""
    return {"stage": step.stage, "reason": step.reason, "created_at": int(step.at)}


def _add_views(router: APIRouter, registry: AdapterRegistry, releases: Releases) -> None:
    @router.get("")
    def list_adapters(tenant: Tenant) -> dict[str, Any]:
        """List all versions, newest first."""
        aliases = aliases_of(registry, tenant)
        return list_object([adapter_object(v, aliases) for v in registry.list(tenant)])

    @router.get("/{adapter_id}")
    def get_adapter(adapter_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Return one version with the records it learned from, and the stages of its release."""
        version = registry.show(tenant, adapter_id)
        found = adapter_object(version, aliases_of(registry, tenant))
        steps = [step_object(step) for step in releases.of(tenant, adapter_id)]
        return found | {"record_ids": list(version.record_ids), "release": steps}


def _add_moves(router: APIRouter, registry: AdapterRegistry) -> None:
    @router.post("/{adapter_id}/promote")
    def promote(adapter_id: Id, tenant: Tenant, body: MoveBody | None = None) -> dict[str, Any]:
        """Serve this version from now on; a running server follows within seconds."""
        version = registry.promote(tenant, adapter_id, anyway=(body or MoveBody()).anyway)
        return adapter_object(version, aliases_of(registry, tenant))

    @router.post("/{adapter_id}/offer")
    def offer(adapter_id: Id, tenant: Tenant, body: MoveBody | None = None) -> dict[str, Any]:
        """Try this version on a share of the requests (`champion_share`) from now on."""
        version = registry.offer(tenant, adapter_id, anyway=(body or MoveBody()).anyway)
        return adapter_object(version, aliases_of(registry, tenant))

    @router.post("/rollback")
    def rollback(tenant: Tenant) -> dict[str, Any]:
        """Serve the previous champion again."""
        version = registry.rollback(tenant)
        return adapter_object(version, aliases_of(registry, tenant))

    @router.post("/reset")
    def reset(tenant: Tenant) -> dict[str, Any]:
        """Serve the base model, without an adapter; `rollback` undoes it."""
        registry.reset(tenant)
        return {"object": "adapter.reset", "champion": None}


def _add_approval(router: APIRouter, registry: AdapterRegistry, first: Stage) -> None:
    @router.post("/{adapter_id}/approve")
    def approve(adapter_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Begin the release of a version that the gate let through."""
        version = registry.approve(tenant, adapter_id, first)
        return adapter_object(version, aliases_of(registry, tenant))

    @router.post("/{adapter_id}/reject")
    def reject(adapter_id: Id, tenant: Tenant) -> dict[str, Any]:
        """End the trial of a version, or its wait, for good; 409 for the champion."""
        version = registry.record_reject(tenant, adapter_id)
        return adapter_object(version, aliases_of(registry, tenant))

"""`/v1/adapters/warm`: training for what requests had no time to train for."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from adaptation.learning.warming import Warming
from server.tenancy.principal import Tenant


def warming_router(warming: Warming) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1/adapters/warm", tags=["adapters"])

    def state(tenant: str) -> dict[str, Any]:
        return {"object": "adapter.warming", **asdict(warming.state(tenant))}

    @router.get("")
    async def get_warming(tenant: Tenant) -> dict[str, Any]:
        """Say how many neighbourhoods are wanted, and what training beforehand came to so far."""
        return state(tenant)

    @router.post("")
    async def warm(tenant: Tenant) -> dict[str, Any]:
        """Begin to train for all that is wanted; ask again for how far it is."""
        warming.begin(tenant)
        return state(tenant)

    return router

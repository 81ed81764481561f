"""`/v1/admin/tenants`: what each tenant has of its own, for the operator."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from memory.memory import LongTermMemory
from memory.tenants import Limits
from server.config import TENANT_NAME
from server.routes.paging import list_object
from server.tenancy.own import Own, own_of, owners
from server.tenancy.quotas import Quotas

Name = Annotated[str, Path(pattern=rf"^{TENANT_NAME.pattern}$")]


def tenants_router(memory: LongTermMemory, quotas: Quotas) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1/admin/tenants", tags=["tenants"])

    @router.get("")
    def list_tenants() -> dict[str, Any]:
        """List the tenants that have limits or a calibration of their own."""
        return list_object([tenant_object(own) for own in owners(memory)])

    @router.get("/{tenant}")
    def get_tenant(tenant: Name) -> dict[str, Any]:
        """Return a tenant's own limits, null where the server's apply, and its calibrations."""
        return tenant_object(own_of(memory, tenant))

    @router.put("/{tenant}")
    def set_tenant(tenant: Name, limits: Limits) -> dict[str, Any]:
        """Give a tenant limits in the place of those it had."""
        memory.tenants.set(tenant, limits)
        quotas.forget()
        return tenant_object(own_of(memory, tenant))

    return router


def tenant_object(own: Own) -> dict[str, Any]:
    """Return a tenant as it is on the wire."""
    return {"object": "tenant", **own.shown()}

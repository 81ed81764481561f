"""`/v1/admin/tenants`: what each tenant may use, for the operator."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from memory.tenants import Limits, TenantStore
from server.config import TENANT_NAME
from server.routes.paging import list_object
from server.tenancy.quotas import Quotas

Name = Annotated[str, Path(pattern=rf"^{TENANT_NAME.pattern}$")]


def tenants_router(store: TenantStore, quotas: Quotas) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1/admin/tenants", tags=["tenants"])

    @router.get("")
    def list_tenants() -> dict[str, Any]:
        """List the tenants that have limits of their own."""
        return list_object([tenant_object(*each) for each in sorted(store.list().items())])

    @router.get("/{tenant}")
    def get_tenant(tenant: Name) -> dict[str, Any]:
        """Return a tenant's own limits; null where the server's apply."""
        return tenant_object(tenant, store.list().get(tenant, Limits()))

    @router.put("/{tenant}")
    def set_tenant(tenant: Name, limits: Limits) -> dict[str, Any]:
        """Give a tenant limits in the place of those it had."""
        store.set(tenant, limits)
        quotas.forget()
        return tenant_object(tenant, limits)

    return router


def tenant_object(tenant: str, limits: Limits) -> dict[str, Any]:
    """Return a tenant as it is on the wire."""
    return {"object": "tenant", "id": tenant, "limits": limits.model_dump()}

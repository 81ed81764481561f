"""Whose request this is."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from server.config import DEFAULT_TENANT

__all__ = ["DEFAULT_TENANT", "Tenant", "tenant_of"]


def tenant_of(request: Request) -> str:
    """Return the tenant a request belongs to.

    Without API keys there is one. Keys bind a request to a tenant in a later change, here and
    nowhere else: no route ever takes a tenant from a path, a query or a body.
    """
    return DEFAULT_TENANT


Tenant = Annotated[str, Depends(tenant_of)]
"""A route parameter of this type is filled in from the request."""

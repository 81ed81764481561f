"""`/v1/admin/keys`: the keys of the caller's tenant; the operator has those of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from memory.keys import KeyStore
from memory.types import Frozen
from server.config import TENANT_NAME
from server.refusals.errors import ApiError
from server.routes.paging import Id, list_object
from server.tenancy.issuing import DAY_S, GRACE_S, key_object, make, replace
from server.tenancy.principal import Caller, Principal, Role
from server.tenancy.secret import Secret


class NewKeyBody(Frozen):
    """A key that is to be made."""

    tenant: Annotated[str, Field(pattern=rf"^{TENANT_NAME.pattern}$")] | None = None
    """The caller's own by default."""
    role: Role = Role.USER
    name: str = Field(default="", max_length=200)
    expires_in_days: float | None = Field(default=None, gt=0, le=36_500)


class Rotation(Frozen):
    """How a key is replaced."""

    grace_s: float = Field(default=GRACE_S, ge=0, le=90 * DAY_S)


def keys_router(store: KeyStore, secret: Secret, changed: Callable[[], None]) -> APIRouter:
    """Return the routes; `changed` is called when keys have changed."""
    router = APIRouter(prefix="/v1/admin/keys", tags=["keys"])

    @router.get("")
    def list_keys(caller: Caller) -> dict[str, Any]:
        """List the keys, newest first."""
        return list_object([key_object(key) for key in store.list(_theirs(caller))])

    @router.post("")
    def create_key(body: NewKeyBody, caller: Caller) -> dict[str, Any]:
        """Make a key; it is shown this once."""
        tenant = body.tenant or caller.tenant
        if not caller.is_operator and tenant != caller.tenant:
            raise ApiError(403, "this key makes keys of its own tenant only", param="tenant")
        days = body.expires_in_days
        key = make(store, secret, tenant, body.role, body.name, days)
        changed()
        return key

    @router.delete("/{key_id}")
    def revoke_key(key_id: Id, caller: Caller) -> dict[str, Any]:
        """Let a key open nothing any more."""
        key = store.revoke(key_id, _theirs(caller))
        changed()
        return key_object(key)

    @router.post("/{key_id}/rotate")
    def rotate_key(key_id: Id, caller: Caller, body: Rotation | None = None) -> dict[str, Any]:
        """Make a key in the place of another, which opens what it opened for a while."""
        grace_s = (body or Rotation()).grace_s
        key = replace(store, secret, key_id, grace_s, _theirs(caller))
        changed()
        return key

    return router


def _theirs(caller: Principal) -> str | None:
    """Return whose keys a caller looks after; None: everybody's."""
    return None if caller.is_operator else caller.tenant

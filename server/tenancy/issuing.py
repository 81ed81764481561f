"""Making keys: a key's text is shown once, and only its digest is kept."""

from __future__ import annotations

import time
from typing import Any

from memory.errors import ConflictError
from memory.keys import ApiKey, KeyStore, NewKey
from server.config import DEFAULT_TENANT
from server.tenancy.principal import Role
from server.tenancy.secret import Secret, hint_of, new_key

DAY_S = 86_400.0
GRACE_S = DAY_S
"""For which a rotated key goes on to open what it opened."""


def make(
    store: KeyStore, secret: Secret, tenant: str, role: Role, name: str, days: float | None
) -> dict[str, Any]:
    """Make a key, and return it with its text.

    Raises `ConflictError` for a gateway's key of any tenant but the operator's.
    """
    if role is Role.GATEWAY and tenant != DEFAULT_TENANT:
        raise ConflictError("a key of role `gateway` is the operator's: of the tenant `default`")
    text = new_key()
    ends = None if days is None else time.time() + days * DAY_S
    new = NewKey(
        tenant=tenant,
        role=role.value,
        name=name,
        hint=hint_of(text),
        digest=secret.digest_of(text),
        expires_at=ends,
    )
    return key_object(store.create(new)) | {"key": text}


def replace(
    store: KeyStore, secret: Secret, key_id: str, grace_s: float, tenant: str | None = None
) -> dict[str, Any]:
    """Make a key in the place of another, and return it with its text."""
    text = new_key()
    key = store.rotate(key_id, secret.digest_of(text), hint_of(text), grace_s, tenant)
    return key_object(key) | {"key": text}


def key_object(key: ApiKey) -> dict[str, Any]:
    """Return a key as it is on the wire: what was shown once is not shown again."""
    shown = key.model_dump(exclude={"digest"})
    times = {name: at and int(at) for name, at in shown.items() if name.endswith("_at")}
    return {"object": "api_key"} | shown | times | {"is_valid": key.is_valid(time.time())}

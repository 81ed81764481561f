"""Who a request comes from: a tenant, and what may be done in its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Annotated

from fastapi import Depends, Request
from starlette.types import Scope

from server.config import DEFAULT_TENANT

PRINCIPAL = "whet.principal"
"""The key of a connection's scope under which its `Principal` stands."""


class Role(StrEnum):
    """What a key was made for."""

    USER = "user"
    """Asks, and says whether an answer was right."""
    REVIEWER = "reviewer"
    """Looks at what the tenant's memory holds, and decides about records as well."""
    ADMIN = "admin"
    """Moves the tenant's memory and adapters, and makes its keys."""
    GATEWAY = "gateway"
    """Speaks for the tenants that the trusted header names; for itself it may do nothing."""


class Access(IntEnum):
    """What a route asks for at least; each holds those before it."""

    PUBLIC = 0
    USER = 1
    REVIEWER = 2
    ADMIN = 3
    OPERATOR = 4
    """What is the server's, and no tenant's."""
    ENGINE = 5
    """The engine's own administration: for the operator, where it is enabled."""


@dataclass(frozen=True)
class Principal:
    """In whose name a request is served."""

    tenant: str
    role: Role
    key_id: str | None = None
    """None without a key of Whet's own."""
    has_key: bool = True
    """Whether a key let him in, or that no key was ever made."""
    in_batch: bool = False
    """Whether nobody waits for the answer."""

    @property
    def is_operator(self) -> bool:
        """Whether the whole server is looked after: by an admin of the default tenant."""
        return self.role is Role.ADMIN and self.tenant == DEFAULT_TENANT

    @property
    def speaks_for_others(self) -> bool:
        """Whether the trusted header is believed with its key."""
        return self.is_operator or self.role is Role.GATEWAY

    @property
    def access(self) -> Access:
        """The most a route may ask for."""
        return Access.ENGINE if self.is_operator else Access[self.role.name]


OPERATOR = Principal(DEFAULT_TENANT, Role.ADMIN)
EVERYBODY = Principal(DEFAULT_TENANT, Role.ADMIN, has_key=False)
"""Whoever asks, where there is no key."""


CALLER: ContextVar[Principal] = ContextVar("caller", default=OPERATOR)
"""In whose name vLLM's own handlers, which hand no scope down, ask the engine client."""


def caller() -> Principal:
    """Return in whose name the engine is asked."""
    return CALLER.get()


@contextmanager
def in_name_of(tenant: str) -> Iterator[None]:
    """Ask the engine for a tenant, where no request of it is under way."""
    before = CALLER.set(Principal(tenant, Role.USER))
    try:
        yield
    finally:
        CALLER.reset(before)


def principal_of(scope: Scope) -> Principal | None:
    """Return in whose name a connection is served; None where a route is open to everybody."""
    found: Principal | None = scope.get(PRINCIPAL)
    return found


def tenant_of(scope: Scope) -> str:
    """Return whose everything is that a request sees."""
    return _known(scope).tenant


def is_in_batch(scope: Scope) -> bool:
    """Whether nobody waits for the answer."""
    return _known(scope).in_batch


def _known(scope: Scope) -> Principal:
    found = principal_of(scope)
    if found is None:
        raise RuntimeError("a route was reached around the check of keys")
    return found


def _principal(request: Request) -> Principal:
    return _known(request.scope)


def _tenant(request: Request) -> str:
    return tenant_of(request.scope)


Caller = Annotated[Principal, Depends(_principal)]
"""A route parameter of this type is filled in from the request, likewise below."""
Tenant = Annotated[str, Depends(_tenant)]

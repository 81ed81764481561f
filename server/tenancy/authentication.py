"""Before everything else: in whose name a connection is served, and whether he may do that.

Pure ASGI. Whatever is behind it finds a `Principal` in the scope.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import replace
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from memory.errors import WhetMemoryError
from server.config import TENANT_NAME
from server.refusals.errors import ApiError, api_error
from server.requests.request_context import route_path
from server.telemetry.notes import request_note
from server.tenancy.doors import Doors
from server.tenancy.keyring import Keyring
from server.tenancy.principal import (
    CALLER,
    EVERYBODY,
    OPERATOR,
    PRINCIPAL,
    Access,
    Principal,
    Role,
)
from server.tenancy.trust import Trust

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""Starlette's patterns take a path with a line break at its end for the one without."""
SEND_A_KEY = "Send a valid API key in the header `Authorization: Bearer KEY`"


class Authentication:
    """Finds out who asks, and refuses what he may not do."""

    def __init__(self, app: ASGIApp, doors: Doors, keyring: Keyring, trust: Trust) -> None:
        self._app = app
        self._doors, self._keyring, self._trust = doors, keyring, trust
        self._operator_digests = [_digest(key) for key in trust.operator_keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; a browser's question before a request needs no key."""
        if scope["type"] not in ("http", "websocket") or _is_preflight(scope):
            await self._app(scope, receive, send)
            return
        try:
            principal = await self._admitted(scope)
        except (ApiError, WhetMemoryError) as error:
            await api_error(error).response()(scope, receive, send)
            return
        if principal is not None:
            CALLER.set(principal)
            if (note := request_note()) is not None:
                note.tenant = principal.tenant
        await self._app({**scope, PRINCIPAL: principal}, receive, send)

    async def _admitted(self, scope: Scope) -> Principal | None:
        """Return in whose name a connection is served; raises `ApiError`."""
        path = route_path(scope)
        if _CONTROL.search(path):
            raise ApiError(404, "there is no path with control characters")
        least = self._doors.least(scope)
        if least is Access.ENGINE and not self._trust.engine_routes:
            raise ApiError(404, f"There is no {path} here: serve with --engine-routes to have it")
        headers = Headers(scope=scope)
        if least is Access.PUBLIC:
            return await self._if_known(headers)
        principal = await self._principal(headers)
        if principal.access < least:
            raise ApiError(403, _forbidden(least, principal))
        return principal

    async def _if_known(self, headers: Headers) -> Principal | None:
        try:
            return await self._principal(headers)
        except (ApiError, WhetMemoryError):
            return None

    async def _principal(self, headers: Headers) -> Principal:
        key = _key_in(headers)
        if key is not None and self._is_operators(key):
            return self._spoken_for(OPERATOR, headers)
        if key is not None and (found := await self._keyring.find(key)) is not None:
            return self._spoken_for(Principal(found.tenant, Role(found.role), found.id), headers)
        if self._operator_digests or not await self._keyring.is_empty():
            raise ApiError(401, SEND_A_KEY)
        self._refuse_foreign_host(headers)
        if self._trust.tenant_header is None:
            return EVERYBODY
        if self._trust.tenant_header not in headers:
            raise ApiError(401, _nameless(self._trust.tenant_header))
        return self._spoken_for(EVERYBODY, headers)

    def _spoken_for(self, principal: Principal, headers: Headers) -> Principal:
        """Return the tenant that a trusted gateway speaks for: a user, whatever its name."""
        name = self._trust.tenant_header
        named = headers.getlist(name) if name else []
        if principal.role is Role.GATEWAY and not named:
            raise ApiError(401, _nameless(name))
        if not named:
            return principal
        if len(named) > 1:
            raise ApiError(400, f"send `{name}` once: a gateway replaces what its clients sent")
        (tenant,) = named
        if principal.speaks_for_others:
            return _user_of(tenant, name, principal)
        if tenant != principal.tenant:
            raise ApiError(403, f"this key may not speak for others: leave out `{name}`")
        return principal

    def _is_operators(self, key: str) -> bool:
        digest = _digest(key)
        # Each is compared, so that the time tells nothing.
        return sum(hmac.compare_digest(digest, known) for known in self._operator_digests) > 0

    def _refuse_foreign_host(self, headers: Headers) -> None:
        """Refuse a name that another one's page has made point here (DNS rebinding)."""
        given = headers.get("host")
        if given and _host_name(given) not in self._trust.hosts:
            raise ApiError(
                403,
                f"this server is not known as {given}: serve with --allowed-hosts, "
                "or make keys with `whet keys create`",
            )


def _nameless(header: str | None) -> str:
    if header is None:
        return "a gateway's key needs a header that names the tenant: serve with --trusted-header"
    return f"Send the tenant in the header `{header}`"


def _user_of(tenant: str, name: str | None, principal: Principal) -> Principal:
    if not TENANT_NAME.fullmatch(tenant):
        raise ApiError(400, f"`{name}` must be a tenant's name: letters, digits, `.`, `_`, `-`")
    return replace(principal, tenant=tenant, role=Role.USER)


def _is_preflight(scope: Scope) -> bool:
    """Whether a browser asks what a page may send: CORS answers that, and no route."""
    headers = Headers(scope=scope)
    asks = "origin" in headers and "access-control-request-method" in headers
    return scope.get("method") == "OPTIONS" and asks


def _key_in(headers: Headers) -> str | None:
    """Return the key a client sent: as OpenAI's clients do, or as Anthropic's."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return headers.get("x-api-key") or None


def _host_name(given: str) -> str | None:
    """Return the name in a `Host` header, lower case and without the port."""
    try:
        return urlsplit(f"//{given}").hostname
    except ValueError:
        return None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _forbidden(least: Access, principal: Principal) -> str:
    if least >= Access.OPERATOR:
        return "this is the operator's: send an admin key of the tenant `default`"
    return f"this needs a key of role `{least.name.lower()}`; yours is of role `{principal.role}`"

"""This server asked from inside: everything but the connection and the key is as for a client."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from server.http.request_body import BODY, Body
from server.tenancy.principal import CALLER, PRINCIPAL, Principal, Role


class Inside:
    """Sends requests in the names of tenants, for which nobody waits."""

    def __init__(self) -> None:
        self._app: FastAPI | None = None
        self._behind: ASGIApp | None = None

    def lead_to(self, app: FastAPI, behind: ASGIApp) -> None:
        """Have requests answered by `behind`: what of the `app` lies behind the check of keys."""
        self._app, self._behind = app, behind

    async def post(self, tenant: str, path: str, body: Body) -> httpx.Response:
        """Return the answer to a request."""
        principal = Principal(tenant, Role.USER, in_batch=True)
        async with self.client(principal, {BODY: body}) as http:
            sent = {"content-type": "application/json"}
            return await http.post(path, content=body.text, headers=sent)

    def client(
        self, principal: Principal, told: Mapping[str, object] = MappingProxyType({})
    ) -> httpx.AsyncClient:
        """Return a client that asks in somebody's name; `told` goes into its requests' scope."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            assert self._behind is not None, "asked before the server was built"
            CALLER.set(principal)
            given = {**scope, **told, "app": self._app, PRINCIPAL: principal}
            await self._behind(given, receive, send)

        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        base = "http://127.0.0.1"
        return httpx.AsyncClient(transport=transport, base_url=base, timeout=None)

"""A stored response exists for its own tenant only: to others it is one that never was."""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from server.errors import ApiError
from server.request_context import RESPONSES, route_path
from server.tenancy.principal import tenant_of

_ONE = re.compile(rf"{RESPONSES}/(resp_[^/]+)(?:/.*)?")
IsOf = Callable[[str, str], bool]


class OwnResponses:
    """Guards the routes that name a response."""

    def __init__(self, app: ASGIApp, is_of: IsOf) -> None:
        """`is_of` says whether a tenant may know of a response."""
        self._app, self._is_of = app, is_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        named = _ONE.fullmatch(route_path(scope)) if scope["type"] == "http" else None
        is_open = named is None or scope["method"] == "OPTIONS"
        if named is not None and not is_open and not self._is_of(tenant_of(scope), named[1]):
            words = f"Response with id '{named[1]}' not found."
            await ApiError(404, words, param="response_id").response()(scope, receive, send)
            return
        await self._app(scope, receive, send)

"""An answer to whoever is turned away, as it goes out: nothing around it has to look at it.

Its bytes are made once. Under a flood the same is sent a thousand times a second, and what that
takes is taken from those who are answered.
"""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from server.http.request_ids import HEADER, request_id_of
from server.refusals.error_shape import ANTHROPIC, anthropic_body
from server.refusals.errors import ApiError
from server.requests.request_context import route_path
from server.telemetry.notes import request_note


class Refusal:
    """An error, in the shape of either kind of client."""

    def __init__(self, error: ApiError) -> None:
        self.status, self._code = error.status, error.body["error"]["code"]
        foreign = anthropic_body(error.status, error.message)
        self._ours = JSONResponse(error.body, error.status, error.headers)
        self._anthropics = JSONResponse(foreign, error.status, error.headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, with the request's id; the body of the request is not read."""
        if (note := request_note()) is not None:
            note.code, note.is_turned_away = self._code, True
        is_anthropics = route_path(scope).startswith(ANTHROPIC)
        response = self._anthropics if is_anthropics else self._ours
        headers = [*response.raw_headers, (HEADER.encode(), request_id_of(scope).encode())]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

"""One error shape whatever the route: rewrites the errors of the whole app on their way out.

Wraps vLLM's app and ours alike, and knows nothing of either. Pure ASGI: `BaseHTTPMiddleware` would
hide disconnects and buffer streams.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.http.request_ids import HEADER, request_id_of
from server.refusals.errors import RETRY_AFTER_S, ApiError, error_body
from server.refusals.key_names import prompt_key, renamed, told
from server.refusals.validation import first_error
from server.refusals.wording import field_in
from server.requests.request_context import route_path
from server.telemetry.notes import request_note

logger = logging.getLogger(__name__)

MAX_MESSAGE_CHARS, END_CHARS = 2000, 200
ANTHROPIC = "/v1/messages"
"""Below this, clients read errors in Anthropic's shape."""
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_TOO_LONG = frozenset({"input_tokens", "input_text"})
"""What vLLM names when a prompt is longer than the context; no client sends keys of these names."""
_SNAKE_CASE = re.compile(r"[a-z][a-z0-9_]*")


class OpenAIErrorShape:
    """Wraps the whole app: one error shape, a request id on every response, a bound on bodies.

    Successful responses pass through message by message; only an error's body is collected.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._max_body_bytes)
        if int(exchange.declared_length) > self._max_body_bytes:
            await exchange.refuse_large_body()
            return
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception:  # the outermost boundary: whatever escaped becomes a 500
            logger.exception("request %s failed", exchange.request_id)
            if exchange.is_streaming:
                raise  # too late for an error body: the server must cut the connection
            await exchange.fail()


class _Exchange:
    """One request and its response, on their way through `OpenAIErrorShape`."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_body_bytes: int) -> None:
        headers = Headers(scope=scope)
        self.request_id = request_id_of(scope)
        length = headers.get("content-length", "")
        self.declared_length = length if length.isascii() and length.isdigit() else "0"
        self._scope, self._receive, self._send = scope, receive, send
        self._max_body_bytes = max_body_bytes
        self._received_bytes = 0
        self._held: Message | None = None
        self._body = bytearray()
        self._started = False
        self._done = False

    @property
    def is_streaming(self) -> bool:
        """Whether part of a successful response is already with the client."""
        return self._started and not self._done

    @property
    def _too_large(self) -> bool:
        return self._received_bytes > self._max_body_bytes

    async def receive(self) -> Message:
        """Pass the request on, up to the bound: a chunked body declares no length to refuse by."""
        message = await self._receive()
        self._received_bytes += len(message.get("body", b""))
        if self._too_large:
            raise ApiError(413, "the request body is too large")
        return message

    async def send(self, message: Message) -> None:
        """Pass a success on at once; hold an error's start until its body is complete."""
        if message["type"] == "http.response.start":
            if message["status"] >= 400 or self._too_large:
                self._held = message
                return
            self._started = True
            MutableHeaders(scope=message)[HEADER] = self.request_id
        elif self._held is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._send_rewritten(self._held)
            return
        elif message["type"] == "http.response.body":
            self._done = not message.get("more_body", False)
        await self._send(message)

    async def refuse_large_body(self) -> None:
        """Answer 413 without reading the body."""
        limit = f"The request body is larger than the limit of {self._max_body_bytes} bytes"
        await self._answer(413, error_body(413, limit), Headers())

    async def fail(self) -> None:
        """Answer 500, or 413 where reading the body was what failed; at most once."""
        if self._done:
            return
        if self._too_large:
            await self.refuse_large_body()
        else:
            await self._answer(500, error_body(500, self._apology), Headers())

    async def _send_rewritten(self, start: Message) -> None:
        if self._too_large:  # whatever the app made of the body we cut off
            await self.refuse_large_body()
            return
        status = 400 if start["status"] == HTTPStatus.UNPROCESSABLE_ENTITY else start["status"]
        headers = Headers(raw=start["headers"])
        found = _fields(bytes(self._body))
        message = self._message(status, found, headers)
        if message == self._apology:
            logger.error("request %s: %s", self.request_id, found.get("message"))
        if status == 400 and str(found.get("param")) in _TOO_LONG and not _is_ours(found):
            prompt = prompt_key(route_path(self._scope))
            found = {"param": prompt, "code": "context_length_exceeded"}
        elif not _is_ours(found):
            found = {**found, "param": self._param(status, message, found)}
        await self._answer(status, _shaped(status, message, found), headers)

    def _message(self, status: int, found: Mapping[str, Any], headers: Headers) -> str:
        """Return the words for the client: the app's, or ours where its own say nothing."""
        method, path = self._scope["method"], self._scope["path"]
        given = _shortened(str(found.get("message") or "").partition(" (parameter=")[0])
        given = given.partition(" Valid aliases:")[0]  # vLLM lists everybody's adapters there
        if _is_ours(found):
            return given
        if status == 500 or "Traceback (most recent" in given:
            return self._apology  # others' words about a crash may quote the server's insides
        if given.lower() not in ("", _phrase(status).lower(), "unauthorized"):
            return told(route_path(self._scope), given) if status in (400, 403, 404) else given
        if status == 404:
            return f"There is no {method} {path}; /docs lists the routes"
        if status == 405:
            return f"{path} takes {headers.get('allow', 'other methods')}, not {method}"
        if status == 401:
            return "Send a valid API key in the header `Authorization: Bearer KEY`"
        return _phrase(status)

    def _param(self, status: int, message: str, found: Mapping[str, Any]) -> Any:
        given = found.get("param")
        given = renamed(route_path(self._scope), given) if isinstance(given, str) else given
        return (field_in(message) or given) if status in (400, 404) else given

    @property
    def _apology(self) -> str:
        return f"The server failed on this request; its log says why, under {self.request_id}"

    async def _answer(self, status: int, body: Mapping[str, Any], kept: Headers) -> None:
        if (note := request_note()) is not None:
            note.code = body["error"]["code"] or body["error"]["type"]
        if route_path(self._scope).startswith(ANTHROPIC):
            body = anthropic_body(status, str(body["error"]["message"]))
        response = JSONResponse(body, status)
        replaced = {b"content-length", b"content-type", b"content-encoding", HEADER.encode()}
        response.raw_headers += [(k, v) for k, v in kept.raw if k.lower() not in replaced]
        response.headers[HEADER] = self.request_id
        if status in (429, 503):
            response.headers.setdefault("retry-after", str(RETRY_AFTER_S))
        self._started = self._done = True
        await response(self._scope, self._receive, self._send)


def anthropic_body(status: int, message: str) -> dict[str, Any]:
    """Return an error as Anthropic's clients read it."""
    default = "api_error" if status >= 500 else "invalid_request_error"
    kind = _ANTHROPIC_TYPES.get(status, default)
    return {"type": "error", "error": {"type": kind, "message": message}}


def _fields(body: bytes) -> Mapping[str, Any]:
    """Read an error out of whatever shape it was given in."""
    try:
        parsed = json.loads(body)
    except ValueError:  # JSON's and UTF-8's errors alike
        text = body.decode("utf-8", "replace").strip()
        return {} if text.startswith("<") else {"message": text}
    if not isinstance(parsed, dict):
        return {"message": parsed if isinstance(parsed, str) else None}
    inner = parsed.get("error", parsed.get("detail", parsed))
    if isinstance(inner, list) and inner and isinstance(inner[0], dict):  # FastAPI's default 422
        message, param = first_error(RequestValidationError(inner))
        return {"message": message, "param": param}
    return inner if isinstance(inner, dict) else {"message": inner}


def _shaped(status: int, message: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what is in our shape already; derive the rest from the status."""
    kind, param, code = (found.get(key) for key in ("type", "param", "code"))
    if status == 404 and param == "model":
        code = "model_not_found"  # the code clients look for; vLLM's is the number 404
    return error_body(
        status,
        message,
        kind if isinstance(kind, str) and _SNAKE_CASE.fullmatch(kind) else None,
        param.removeprefix("body.") if isinstance(param, str) else None,
        code if isinstance(code, str) else None,
    )


def _is_ours(found: Mapping[str, Any]) -> bool:
    """Whether `error_body` made this; vLLM's own code is a number."""
    return set(found) == {"message", "type", "param", "code"} and not isinstance(found["code"], int)


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in list(HTTPStatus) else f"Error {status}"


def _shortened(message: str) -> str:
    """Return a long message without its middle: which field it is about may stand at its end."""
    if len(message) <= MAX_MESSAGE_CHARS:
        return message
    return f"{message[: MAX_MESSAGE_CHARS - END_CHARS]} … {message[-END_CHARS:]}"

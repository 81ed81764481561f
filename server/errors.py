"""What a client reads when something is wrong: `{"error": {"message", "type", "param", "code"}}`.

Our packages' errors and FastAPI's validation errors become that here, and only here. Answers that
others make in the same app (vLLM's handlers, Starlette) are `server.error_shape`'s business.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import JSONResponse

from adaptation.errors import (
    AdaptationError,
    DeadlineError,
    EngineError,
    InvalidOptionsError,
    TrainerError,
)
from memory.errors import (
    ConflictError,
    InvalidAdapterError,
    InvalidImportError,
    NotFoundError,
    StorageUnavailableError,
    WhetMemoryError,
)

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 1
# Segments pydantic adds to a location for unions and validators; no client wrote them.
_INTERNAL_SEGMENT = re.compile(
    r".*[\[\](){}].*|[A-Z]\w*|str|int|float|bool|bytes|list|tuple|dict|set|none|(function|tagged)-.*"
)

_WHOLE_BODY = {
    "missing": "The request body is empty; send a JSON object",
    "model_attributes_type": "The request body must be a JSON object",
    "dict_type": "The request body must be a JSON object",
}

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES = {
    401: "invalid_api_key",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "request_too_large",
    415: "unsupported_media_type",
    429: "rate_limit_exceeded",
    503: "service_unavailable",
    504: "timeout",
}
_STATUS_OF = {
    NotFoundError: 404,
    ConflictError: 409,
    InvalidImportError: 400,
    InvalidAdapterError: 409,
    StorageUnavailableError: 503,
    InvalidOptionsError: 400,
    EngineError: 503,
    DeadlineError: 504,
    TrainerError: 503,
}


class ApiError(Exception):
    """An answer other than success, in the words the client is to read."""

    def __init__(
        self,
        status: int,
        message: str,
        type: str | None = None,  # noqa: A002 (the wire's own word)
        param: str | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.param = param
        self.code = code
        self.retry_after_s = retry_after_s

    @classmethod
    def invalid(cls, error: ValidationError, prefix: str = "") -> ApiError:
        """A 400 that names the first offending key of `error` below `prefix`."""
        message, param = first_error(error, prefix)
        return cls(400, message, param=param)

    def response(self) -> JSONResponse:
        """Return this error on the wire."""
        wait_s = self.retry_after_s or (RETRY_AFTER_S if self.status in (429, 503) else None)
        headers = {"retry-after": str(max(1, round(wait_s)))} if wait_s else None
        body = error_body(self.status, self.message, self.type, self.param, self.code)
        return JSONResponse(body, self.status, headers)


def error_body(
    status: int,
    message: str,
    type: str | None = None,  # noqa: A002 (the wire's own word)
    param: str | None = None,
    code: str | None = None,
) -> dict[str, Any]:
    """Return the one error shape; type and code default to what `status` means."""
    default = "server_error" if status >= 500 else "invalid_request_error"
    return {
        "error": {
            "message": message,
            "type": type or _TYPES.get(status, default),
            "param": param,
            "code": code or _CODES.get(status),
        }
    }


def first_error(
    error: ValidationError | RequestValidationError, prefix: str = ""
) -> tuple[str, str | None]:
    """Return a message and the dotted path of the first key that is wrong."""
    first: Any = next(iter(error.errors()), "the request is not valid")
    if isinstance(first, str):  # vLLM raises RequestValidationError with bare strings
        return first, None
    kind = str(first.get("type", ""))
    location = [str(part) for part in first.get("loc", ())]
    if isinstance(error, RequestValidationError):
        location = location[1:]  # FastAPI says first where it stood: body, query, path or header
    if kind == "json_invalid":
        reason = first.get("ctx", {}).get("error", "it does not parse")
        return f"The request body is not valid JSON: {reason}", None
    param = _dotted(location, prefix, keep_last=kind in ("extra_forbidden", "missing"))
    message = str(first.get("msg", "not valid")).removeprefix("Value error, ")
    if not param:
        return _WHOLE_BODY.get(kind, message), None
    if kind == "extra_forbidden":
        return f"`{param}` is not a known key", param
    return f"`{param}`: {'required' if kind == 'missing' else message}", param


def install_handlers(app: FastAPI) -> None:
    """Translate our errors, and FastAPI's validation errors, on `app` (ours or vLLM's)."""
    app.add_exception_handler(RequestValidationError, _answer_validation)
    for family in (ApiError, WhetMemoryError, AdaptationError):
        app.add_exception_handler(family, _answer_error)


def api_error(error: Exception) -> ApiError:
    """Translate one of our packages' errors; what has no status of its own is a plain 500."""
    if isinstance(error, ApiError):
        return error
    status = next((s for kind, s in _STATUS_OF.items() if isinstance(error, kind)), 500)
    param = error.param if isinstance(error, InvalidOptionsError) else None
    return ApiError(status, str(error), param=param)


async def _answer_error(request: Request, error: Exception) -> JSONResponse:
    answer = api_error(error)
    if answer.status >= 500:
        logger.error("%s %s: %s", request.method, request.url.path, error)
    return answer.response()


async def _answer_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    message, param = first_error(error)
    is_json = "json" in request.headers.get("content-type", "").lower()
    if param is None and not is_json and await request.body():
        message = "Send the request body as JSON, with the header `Content-Type: application/json`"
    return ApiError(400, message, param=param).response()


def _dotted(location: list[str], prefix: str, keep_last: bool) -> str | None:
    """Join a pydantic location, leaving out the segments that pydantic made up."""
    last = len(location) - 1
    parts = [
        part
        for index, part in enumerate(location)
        if (keep_last and index == last) or not _INTERNAL_SEGMENT.fullmatch(part)
    ]
    return ".".join(filter(None, [prefix, *parts])) or None

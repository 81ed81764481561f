"""What a client reads when something is wrong: `{"error": {"message", "type", "param", "code"}}`.

Our packages' errors and FastAPI's validation errors become that here, and only here. Answers that
others make in the same app (vLLM's handlers, Starlette) are those of `server.refusals.error_shape`.
"""

from __future__ import annotations

import logging
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
    VerifierError,
)
from memory.errors import (
    ConflictError,
    InvalidAdapterError,
    InvalidImportError,
    NoPlaceError,
    NotFoundError,
    SpentError,
    StorageUnavailableError,
    WhetMemoryError,
)
from server.refusals.validation import first_error

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 1
CONFLICT = 409
DO_NOT_RETRY = {"x-should-retry": "false"}
"""OpenAI's clients send a request that is answered 409 twice more, a file of megabytes too, unless
they are told that it would be in vain: here what is stored stands against it."""
RESTARTING = (
    "The engine is away until it is started again: send the request again after the seconds that "
    "`retry-after` names"
)
STOPPING = "The server is stopping: send the request to another one, or again in a minute"
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
    SpentError: 429,
    InvalidImportError: 400,
    InvalidAdapterError: 409,
    StorageUnavailableError: 503,
    InvalidOptionsError: 400,
    EngineError: 503,
    DeadlineError: 504,
    TrainerError: 503,
    VerifierError: 503,
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

    @property
    def body(self) -> dict[str, Any]:
        """The body on the wire."""
        return error_body(self.status, self.message, self.type, self.param, self.code)

    @property
    def headers(self) -> dict[str, str]:
        """The headers on the wire, besides those of any JSON."""
        wait_s = self.retry_after_s or (RETRY_AFTER_S if self.status in (429, 503) else None)
        retry = {"retry-after": str(max(1, round(wait_s)))} if wait_s else {}
        return retry | (DO_NOT_RETRY if self.status == CONFLICT else {})

    def response(self) -> JSONResponse:
        """Return this error on the wire."""
        return JSONResponse(self.body, self.status, self.headers)


def unknown_model(model: str, why: str = "", param: str = "model") -> ApiError:
    """Return what is said of a model that its caller does not have; `param` is where it stands."""
    told = f"The model `{model}` does not exist. {why}".rstrip()
    return ApiError(404, told, param=param, code="model_not_found")


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


def install_handlers(app: FastAPI) -> None:
    """Translate our errors, and FastAPI's validation errors, on `app` (ours or vLLM's)."""
    app.add_exception_handler(RequestValidationError, _answer_validation)
    for family in (ApiError, WhetMemoryError, AdaptationError):
        app.add_exception_handler(family, _answer_error)


def api_error(error: Exception) -> ApiError:
    """Translate one of our packages' errors; what has no status of its own is a plain 500."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, InvalidOptionsError) and isinstance(error.__cause__, ValidationError):
        return ApiError.invalid(error.__cause__, error.param)
    if isinstance(error, NoPlaceError):
        return ApiError(404, f"`after`: {error}", param="after")
    status = next((s for kind, s in _STATUS_OF.items() if isinstance(error, kind)), 500)
    param = error.param if isinstance(error, InvalidOptionsError) else None
    wait_s = error.retry_after_s if isinstance(error, SpentError) else None
    return ApiError(status, str(error), param=param, retry_after_s=wait_s)


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

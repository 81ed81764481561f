"""Tells clients when to ask again: as Whet did, and in a moment where Whet cannot be reached.

LiteLLM itself passes the header on under a name of its own, which no client reads, and answers 500
where nobody answers it.
"""

import httpx
from fastapi import HTTPException
from litellm.integrations.custom_logger import CustomLogger

HEADER = "retry-after"
AWAY = "Whet cannot be reached: send the request again"
NEVER_REACHED = (httpx.ConnectError, httpx.ConnectTimeout)
LOST = (*NEVER_REACHED, httpx.NetworkError, httpx.RemoteProtocolError)


class RetryAfter(CustomLogger):
    """Passes the header of a 429 or 503 on, and has 503 said while Whet is away."""

    async def async_post_call_failure_hook(
        self, request_data, original_exception, user_api_key_dict, traceback_str=None
    ):
        """Note what Whet said, where the failure is its answer; return what to say without one."""
        # Of a stream that has begun LiteLLM tells the end itself.
        kinds = NEVER_REACHED if request_data.get("stream") else LOST
        if _comes_of(original_exception, kinds):
            request_data[HEADER] = "1"
            return HTTPException(503, AWAY)
        headers = getattr(original_exception, "litellm_response_headers", None) or {}
        request_data[HEADER] = headers.get(HEADER)
        return None

    async def async_post_call_response_headers_hook(
        self, data, user_api_key_dict, response, request_headers=None
    ):
        """Return what to add to a response's headers; there is no `response` after a failure."""
        told = data.get(HEADER) if response is None else None
        return {HEADER: told} if told else None


def _comes_of(error, kinds):
    """Whether an error, or one that it came of, is of these kinds."""
    while error is not None and not isinstance(error, kinds):
        error = error.__cause__ or error.__context__
    return error is not None


passed_on = RetryAfter()

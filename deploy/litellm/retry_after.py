"""Tells clients when to ask again, as Whet did.

LiteLLM itself passes this on under a name of its own, which no client reads.
"""

from litellm.integrations.custom_logger import CustomLogger

HEADER = "retry-after"


class RetryAfter(CustomLogger):
    """Passes the header of a 429 or 503 on."""

    async def async_post_call_failure_hook(
        self, request_data, original_exception, user_api_key_dict, traceback_str=None
    ):
        """Note what Whet said, where the failure is its answer."""
        headers = getattr(original_exception, "litellm_response_headers", None) or {}
        request_data[HEADER] = headers.get(HEADER)

    async def async_post_call_response_headers_hook(
        self, data, user_api_key_dict, response, request_headers=None
    ):
        """Return what to add to a response's headers; there is no `response` after a failure."""
        told = data.get(HEADER) if response is None else None
        return {HEADER: told} if told else None


passed_on = RetryAfter()

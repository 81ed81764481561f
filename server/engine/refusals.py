"""What is refused, in the exceptions that vLLM's handlers turn into HTTP answers."""

from __future__ import annotations

from http import HTTPStatus

from vllm import SamplingParams
from vllm.exceptions import GracefulHTTPError, VLLMValidationError

from adaptation.errors import AdaptationError, DeadlineError


def refuse_deadly(params: SamplingParams) -> None:
    """Refuse what kills the CPU engine while LoRA is on: log-probabilities of the prompt.

    Raises what vLLM's handlers turn into HTTP 400.
    """
    if params.prompt_logprobs is not None:
        raise bad_request(
            "`prompt_logprobs`, and `echo` with `logprobs`, are refused while adapters are enabled",
            "prompt_logprobs",
        )


def stopping() -> Exception:
    """Return what vLLM's handlers turn into HTTP 503, and into the last event of a stream."""
    words = "The server is stopping: send the request to another one, or again in a minute"
    graceful: Exception = GracefulHTTPError(words, HTTPStatus.SERVICE_UNAVAILABLE)
    return graceful


def bad_request(message: str, parameter: str) -> Exception:
    """Return what vLLM's handlers turn into HTTP 400."""
    error: Exception = VLLMValidationError(message, parameter=parameter)
    return error


def http_error(error: AdaptationError) -> Exception:
    """Return what vLLM's handlers turn into HTTP 504 or 503."""
    is_late = isinstance(error, DeadlineError)
    status = HTTPStatus.GATEWAY_TIMEOUT if is_late else HTTPStatus.SERVICE_UNAVAILABLE
    graceful: Exception = GracefulHTTPError(str(error), status)
    return graceful

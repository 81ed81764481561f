"""What is refused, in the exceptions that vLLM's handlers turn into HTTP answers."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

import msgspec
from vllm import SamplingParams
from vllm.exceptions import (
    GracefulHTTPError,
    RetryableRequestError,
    VLLMClientError,
    VLLMValidationError,
)
from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

from adaptation.errors import AdaptationError, DeadlineError, ModelGoneError
from server.refusals.errors import RESTARTING, STOPPING
from server.refusals.vllm_words import of_vllm

logger = logging.getLogger(__name__)

FAULTS = (ValueError, TypeError, OverflowError, RecursionError)
"""Raised by what looks at a request: it is to blame, not the engine."""
FORM = "structured_outputs"
"""What is blamed for a form that cannot be had, where the route does not say what asked for it."""
PAUSED = "the engine is paused by its operator: send the request again later"
FAILED = "error"
"""The finish reason of what the engine gave up, and lives on."""


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
    graceful: Exception = GracefulHTTPError(STOPPING, HTTPStatus.SERVICE_UNAVAILABLE)
    return graceful


def restarting() -> Exception:
    """Return the same of an engine that died."""
    graceful: Exception = GracefulHTTPError(RESTARTING, HTTPStatus.SERVICE_UNAVAILABLE)
    return graceful


def refuse_unfit(client: Any, params: SamplingParams, form: str) -> None:
    """Have vLLM look at a request before a stream of it opens, and a vote draws many samples.

    `form` names what asked for a form of the output. Raises what becomes HTTP 400.
    """
    processor = client.input_processor
    try:
        params.verify(
            processor.model_config,
            processor.speculative_config,
            processor.structured_outputs_config,
            processor.tokenizer,
        )
    except VLLMClientError as error:
        if params.structured_outputs is None or getattr(error, "parameter", None):
            raise
        raise bad_request(f"`{form}` cannot be kept to: {_reason(error)}", form) from error
    except FAULTS as error:
        raise bad_request(f"the request cannot be served: {error}", None) from error
    _refuse_unsendable(params, form)


def blamed(params: SamplingParams, form: str | None, *, has_tools: bool = True) -> str:
    """Return what asked for a form of the output; `form` is the key that may have.

    Tools that are strict have one too, and replace what was asked for otherwise.
    """
    forms = params.structured_outputs
    by_tools = forms is not None and forms.structural_tag is not None and has_tools
    return "tools" if by_tools and form != FORM else form or FORM


def _reason(error: Exception) -> str:
    """Return why a form cannot be had; a key that the backend missed says nothing to a client."""
    said = of_vllm(str(error))
    return "its schema is not valid" if re.fullmatch(r"'\w+'", said) else said


def _refuse_unsendable(params: SamplingParams, form: str) -> None:
    """Refuse numbers that do not fit into what the engine is sent: 64 bits."""
    try:
        msgspec.msgpack.encode(params, enc_hook=repr)
    except OverflowError as error:
        key = _largest(params, form)
        message = f"`{key}` holds a whole number that does not fit into 64 bits"
        raise bad_request(message, key) from error
    except (RecursionError, UnicodeError) as error:
        raise bad_request("the request holds what the engine cannot be sent", None) from error


def _largest(params: SamplingParams, form: str) -> str:
    """Return the key whose value does not fit; `form` asked for that of structured outputs."""
    for key in params.__struct_fields__:
        try:
            msgspec.msgpack.encode(getattr(params, key), enc_hook=repr)
        except OverflowError:
            return form if key == FORM else str(key)
    return form


async def told(
    outputs: AsyncGenerator[Any, None], params: SamplingParams, form: str
) -> AsyncGenerator[Any, None]:
    """Yield vLLM's outputs; the error of one request says so, and so does a dead engine's."""
    tokens = 0
    try:
        async with aclosing(outputs):
            async for output in outputs:
                tokens += sum(len(choice.token_ids) for choice in output.outputs)
                if any(choice.finish_reason == FAILED for choice in output.outputs):
                    raise _gave_up(params, form, tokens)
                yield output
    except EngineDeadError:
        raise restarting() from None  # one error that all requests share collects their traces
    except RetryableRequestError as error:  # of an engine that is paused, since 0.33
        raise GracefulHTTPError(PAUSED, HTTPStatus.SERVICE_UNAVAILABLE) from error
    except EngineGenerateError as error:
        cause = error.__cause__
        if not tokens and isinstance(cause, FAULTS):
            raise bad_request(f"the engine cannot take this request: {cause}", None) from error
        logger.exception("the engine failed on one request")
        raise _server_error() from error


def _gave_up(params: SamplingParams, form: str, tokens: int) -> Exception:
    """Return whose fault it was: a form without any text shows at the first token."""
    if params.structured_outputs is not None and tokens <= 1:
        return bad_request(f"`{form}` cannot be kept to: no output has that form", form)
    return _server_error()


def _server_error() -> Exception:
    words = "the engine failed on this request; the server's log says why"
    error: Exception = GracefulHTTPError(words, HTTPStatus.INTERNAL_SERVER_ERROR)
    return error


def bad_request(message: str, parameter: str | None) -> Exception:
    """Return what vLLM's handlers turn into HTTP 400."""
    error: Exception = VLLMValidationError(message, parameter=parameter)
    return error


def http_error(error: AdaptationError) -> Exception:
    """Return what vLLM's handlers turn into HTTP 504, 404 or 503."""
    if isinstance(error, DeadlineError):
        status = HTTPStatus.GATEWAY_TIMEOUT
    elif isinstance(error, ModelGoneError):
        status = HTTPStatus.NOT_FOUND
    else:
        status = HTTPStatus.SERVICE_UNAVAILABLE
    graceful: Exception = GracefulHTTPError(str(error), status)
    return graceful

"""What the handlers of chats, completions and responses have in common.

vLLM's handlers call `engine_client.generate(...)` with nothing of ours. So each request is served
by a shallow copy of its handler, whose client is that request's own: no context is set aside, and
requests know nothing of each other.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator
from typing import Any, Self

from vllm.entrypoints.serve.engine.protocol import ErrorResponse

from server.gateway.called import ModelCalled
from server.gateway.client import RequestClient
from server.gateway.exchange import Exchange
from server.http.report_headers import report_headers
from server.requests.request_context import ARRIVAL


class Reporting:
    """Beside one of vLLM's handlers: serves requests that come back with a report."""

    engine_client: Any
    models: Any
    exchange: Exchange | None = None
    """What goes back and forth for the one request that this copy serves."""

    def serving(self, exchange: Exchange) -> Self:
        """Return this handler for one request."""
        serving = copy.copy(self)
        serving.engine_client = RequestClient(self.engine_client, exchange)
        serving.exchange = exchange
        if exchange.context.model is not None:
            serving.models = ModelCalled(self.models, exchange.context.model)
        return serving


def exchange_of(raw_request: Any, choices: int = 1) -> Exchange | None:
    """Return where what comes of a request is kept; None where the request is vLLM's alone.

    `choices` is OpenAI's `n`.
    """
    arrival = raw_request.scope.get(ARRIVAL) if raw_request is not None else None
    if arrival is None or arrival.context is None:
        return None
    return Exchange(arrival.context, choices)


def tell_headers(exchange: Exchange, raw_request: Any, made: Any) -> None:
    """Have headers name strategy and cost, as far as they are known when the answer starts."""
    if isinstance(made, ErrorResponse):
        return
    raw_request.scope[ARRIVAL].headers = report_headers(
        exchange.context.options.strategy,
        raw_request.state.request_metadata.request_id,
        raw_request.scope.get("root_path", ""),
        () if isinstance(made, AsyncGenerator) else exchange.reports.values(),
        exchange.adapters.values(),
    )

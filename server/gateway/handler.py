"""What the handlers of chats, completions and responses have in common.

vLLM's handlers call `engine_client.generate(...)` with nothing of ours. So each request is served
by a shallow copy of its handler, whose client is that request's own: no context is set aside, and
requests know nothing of each other.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, ClassVar, Self

from vllm.entrypoints.serve.engine.protocol import ErrorResponse
from vllm.entrypoints.serve.utils.api_utils import should_include_usage

from server.errors import error_body
from server.gateway.exchange import Exchange, RequestClient
from server.gateway.streams import Events, reported, with_progress
from server.key_names import told
from server.report_headers import report_headers
from server.request_context import ARRIVAL, Arrival
from server.wording import field_in


def arrival_of(raw_request: Any) -> Arrival | None:
    """Return a request as it arrived, where it may be adapted."""
    arrival: Arrival | None = raw_request.scope.get(ARRIVAL) if raw_request is not None else None
    return arrival if arrival is not None and arrival.context is not None else None


class Reporting:
    """Beside one of vLLM's handlers: serves requests that come back with a report."""

    engine_client: Any
    exchange: Exchange | None = None
    """Of the one request that this copy serves."""

    def serving(self, exchange: Exchange) -> Self:
        """Return this handler for one request."""
        serving = copy.copy(self)
        serving.engine_client = RequestClient(self.engine_client, exchange)
        serving.exchange = exchange
        return serving


def tell_headers(arrival: Arrival, exchange: Exchange, raw_request: Any, made: Any) -> None:
    """Have headers name strategy and cost, as far as they are known when the answer starts."""
    if isinstance(made, ErrorResponse):
        return
    arrival.headers = report_headers(
        exchange.context.options.strategy,
        raw_request.state.request_metadata.request_id,
        raw_request.scope.get("root_path", ""),
        () if isinstance(made, AsyncGenerator) else exchange.reports.values(),
    )


class Chunking(Reporting):
    """Beside a handler whose streams are chunks of the whole answer."""

    route: ClassVar[str]
    answer: ClassVar[type[Any]]
    """Of a whole answer in OpenAI's form: vLLM's own class, subclassed."""
    chunk: ClassVar[str]
    """What a chunk says it is."""
    enable_force_include_usage: bool
    create_error_response: Callable[..., Any]

    async def reported(
        self, create: Callable[..., Awaitable[Any]], request: Any, raw_request: Any
    ) -> Any:
        """Return what vLLM's `create` makes of a request, with its report."""
        arrival = arrival_of(raw_request)
        if arrival is None or arrival.context is None:
            return await create(self, request, raw_request)
        exchange = Exchange(arrival.context, request.n or 1)
        made = await create(self.serving(exchange), request, raw_request)
        tell_headers(arrival, exchange, raw_request, made)
        if isinstance(made, ErrorResponse):
            return made
        if isinstance(made, AsyncGenerator):
            return self.stream(made, exchange, request, raw_request)
        return self.answer.model_construct(**dict(exchange.completed(made)))

    def stream(self, events: Events, exchange: Exchange, request: Any, raw_request: Any) -> Events:
        """Return a stream's events with its reports and, where they are wanted, its votes."""
        _, is_counted = should_include_usage(
            request.stream_options, self.enable_force_include_usage
        )
        events = reported(events, exchange, reads_all=is_counted or self.is_unlike(request))
        if exchange.votes is None:
            return events
        named = {
            "id": raw_request.state.request_metadata.request_id,
            "object": self.chunk,
            "created": int(time.time()),
            "model": request.model,
        }
        return with_progress(events, exchange.votes, named)

    def is_unlike(self, request: Any) -> bool:
        """Whether vLLM writes every chunk in another form than OpenAI."""
        return False

    def create_streaming_error_response(self, *given: Any, **named: Any) -> str:
        """Return an error that arose within a stream in the shape that it would have outside."""
        error = self.create_error_response(*given, **named).error
        status, message = int(error.code or 500), str(error.message)
        message = told(self.route, message) if status == 400 else message
        body = error_body(status, message, param=error.param or field_in(message))
        return json.dumps(body, ensure_ascii=False)

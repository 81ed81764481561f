"""What the handlers of chats and completions have in common: their streams are chunks.

Where a stream's chunks are read, and when, `streams` knows.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, ClassVar

from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer
from vllm.entrypoints.serve.engine.protocol import ErrorResponse
from vllm.entrypoints.serve.utils.api_utils import should_include_usage

from server.gateway.exchange import Exchange
from server.gateway.handler import Reporting, exchange_of, tell_headers
from server.gateway.streams import Events, reported, with_progress
from server.refusals.errors import error_body
from server.refusals.key_names import told
from server.refusals.wording import field_in
from server.requests.openai_form import conform


class Conforming(BaseModel):
    """Beside one of vLLM's models: an answer that is written in OpenAI's form."""

    @model_serializer(mode="wrap")
    def _conforming(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        body: dict[str, Any] = write(self)
        conform(body)
        return body


class Chunking(Reporting):
    """Beside a handler whose streams are chunks of the whole answer."""

    route: ClassVar[str]
    answer: ClassVar[type[Any]]
    """Class of a whole answer in OpenAI's form: vLLM's own, subclassed."""
    chunk: ClassVar[str]
    """What a chunk says it is."""
    enable_force_include_usage: bool
    create_error_response: Callable[..., Any]

    async def reported(
        self, create: Callable[..., Awaitable[Any]], request: Any, raw_request: Any
    ) -> Any:
        """Return what vLLM's `create` makes of a request, with its report."""
        exchange = exchange_of(raw_request, request.n or 1)
        if exchange is None:
            return await create(self, request, raw_request)
        made = await create(self.serving(exchange), request, raw_request)
        tell_headers(exchange, raw_request, made)
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

"""vLLM's handler of /v1/completions, with reports and true usage, in OpenAI's form."""

from __future__ import annotations

from typing import Any

from vllm.entrypoints.openai.completion.protocol import CompletionResponse
from vllm.entrypoints.openai.completion.serving import OpenAIServingCompletion

from server.gateway.chunking import Chunking, Conforming
from server.gateway.exchange import Exchange
from server.gateway.streams import Events, begun
from server.requests.request_context import COMPLETIONS


class CompletionAnswer(Conforming, CompletionResponse):  # type: ignore[misc]
    """An answer in OpenAI's form."""


class Completions(Chunking, OpenAIServingCompletion):  # type: ignore[misc]
    """Answers bare prompts through the pipeline."""

    route, chunk, answer = COMPLETIONS, "text_completion", CompletionAnswer

    async def create_completion(self, request: Any, raw_request: Any = None) -> Any:
        """Return an answer, its chunks, or an error."""
        create = OpenAIServingCompletion.create_completion
        return await self.reported(create, request, raw_request)

    def stream(self, events: Events, exchange: Exchange, request: Any, raw_request: Any) -> Events:
        """Return a stream's events; that of a vote opens with a comment."""
        events = super().stream(events, exchange, request, raw_request)
        return begun(events) if exchange.is_vote else events

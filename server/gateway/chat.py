"""vLLM's handler of /v1/chat/completions, with report and true usage, in OpenAI's form."""

from __future__ import annotations

from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionResponse
from vllm.entrypoints.openai.chat_completion.serving import OpenAIServingChat

from server.gateway.handler import Chunking
from server.openai_form import conform
from server.request_context import CHAT


class ChatAnswer(ChatCompletionResponse):  # type: ignore[misc]
    """An answer that is written in OpenAI's form."""

    @model_serializer(mode="wrap")
    def _conforming(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        body: dict[str, Any] = write(self)
        conform(body)
        return body


class Chat(Chunking, OpenAIServingChat):  # type: ignore[misc]
    """Answers chats through the pipeline."""

    route, chunk, answer = CHAT, "chat.completion.chunk", ChatAnswer

    async def create_chat_completion(self, request: Any, raw_request: Any = None) -> Any:
        """Return an answer, its chunks, or an error."""
        create = OpenAIServingChat.create_chat_completion
        return await self.reported(create, request, raw_request)

    def is_unlike(self, request: Any) -> bool:
        """Whether chunks hold log-probabilities: OpenAI's name a refusal beside them."""
        return bool(request.logprobs)

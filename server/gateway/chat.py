"""vLLM's handler of /v1/chat/completions, with report and true usage, in OpenAI's form."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from vllm.entrypoints.openai.chat_completion.protocol import (
    ChatCompletionRequest,
    ChatCompletionResponse,
)
from vllm.entrypoints.openai.chat_completion.serving import OpenAIServingChat

from server.gateway.chunking import Chunking, Conforming
from server.requests.request_context import CHAT


class ChatAnswer(Conforming, ChatCompletionResponse):  # type: ignore[misc]
    """An answer in OpenAI's form."""


class Chat(Chunking, OpenAIServingChat):  # type: ignore[misc]
    """Answers chats through the pipeline."""

    route, chunk, answer = CHAT, "chat.completion.chunk", ChatAnswer

    async def create_chat_completion(self, request: Any, raw_request: Any = None) -> Any:
        """Return an answer, its chunks, or an error."""
        create = OpenAIServingChat.create_chat_completion
        return await self.reported(create, request, raw_request)

    async def has(self, model: str) -> bool:
        """Whether vLLM itself knows a name: the base's, or an adapter's that it was given."""
        refusal = await self._check_model(ChatCompletionRequest(model=model, messages=[]))
        return refusal is None or refusal.error.code != HTTPStatus.NOT_FOUND

    def is_unlike(self, request: Any) -> bool:
        """Whether chunks hold log-probabilities: OpenAI's name a refusal beside them."""
        return bool(request.logprobs)

"""vLLM's handler of /v1/messages, mended where an error in a stream is lost.

vLLM takes the error for a chunk, and tells what pydantic holds against that.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator

from vllm.entrypoints.anthropic.serving import AnthropicServingMessages

from server.refusals.error_shape import ANTHROPIC, anthropic_body
from server.refusals.key_names import told

ERROR = 'data: {"error"'
"""How the error in a stream of chunks begins."""


class Messages(AnthropicServingMessages):  # type: ignore[misc]
    """Ends a stream with its error, in Anthropic's shape and in our words."""

    async def message_stream_converter(
        self, generator: AsyncGenerator[str, None]
    ) -> AsyncGenerator[str, None]:
        """Yield Anthropic's events for a chat's chunks."""
        failed: list[str] = []

        async def chunks() -> AsyncGenerator[str, None]:
            async for chunk in generator:
                if chunk.startswith(ERROR):
                    failed.append(chunk)
                    return
                yield chunk

        async for event in super().message_stream_converter(chunks()):
            yield event
        for error in failed:
            yield _event(error)


def _event(chunk: str) -> str:
    error = json.loads(chunk.removeprefix("data: "))["error"]
    status, message = int(error["code"]), str(error["message"])
    body = anthropic_body(status, told(ANTHROPIC, message) if status == 400 else message)
    return f"event: error\ndata: {json.dumps(body, ensure_ascii=False)}\n\n"

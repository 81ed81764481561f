"""The engine client as the handler of one request sees it: what it is told on the way, it notes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from server.engine.outputs import Given
from server.gateway.exchange import Exchange
from server.requests.request_context import Asked


class RequestClient:
    """The engine client as the handler of one request sees it."""

    def __init__(self, client: Any, exchange: Exchange) -> None:
        self._client = client
        self._exchange = exchange

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def generate(
        self, prompt: Any, params: Any, request_id: str, **keywords: Any
    ) -> AsyncGenerator[Any, None]:
        """Return the outputs for one prompt, as vLLM's client does."""
        asked = self._exchange.ask(request_id)
        return self._noted(asked, self._client.answer(asked, prompt, params, **keywords))

    async def _noted(
        self, asked: Asked, outputs: AsyncGenerator[Given, None]
    ) -> AsyncGenerator[Any, None]:
        async with aclosing(outputs):
            async for given in outputs:
                self._exchange.note(asked, given)
                yield given.output
        self._exchange.close()

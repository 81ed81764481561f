"""A composed server behind a real port, for clients that open connections of their own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import uvicorn

from server.http.heads import bounded_heads
from tests.e2e.running import free_port

if TYPE_CHECKING:
    from tests.server.composed import Composed


class Listener(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()


@asynccontextmanager
async def listening(server: Composed, head_s: float = 60.0) -> AsyncIterator[str]:
    """Give the URL under which `server` can be reached for the length of the block."""
    port, protocol = free_port(), bounded_heads(server.app.state.args, head_s)
    config = uvicorn.Config(
        server.app,
        host="127.0.0.1",
        port=port,
        http=protocol,  # type: ignore[arg-type]
        lifespan="off",
        log_level="error",
        ws="none",
    )
    async with serving(config) as url:
        yield url


@asynccontextmanager
async def serving(config: uvicorn.Config) -> AsyncIterator[str]:
    """Give the URL of what `config` has served for the length of the block."""
    listener = Listener(config)
    task = asyncio.create_task(listener.serve())
    try:
        await listener.listens.wait()
        yield f"http://127.0.0.1:{config.port}"
    finally:
        listener.should_exit = True
        await task

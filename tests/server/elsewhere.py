"""vLLM's own server with its scale-out routes on a real port, and a fake core behind it."""

from __future__ import annotations

import argparse
import asyncio
import copy
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn

from server.config import Settings
from tests.e2e.running import free_port
from tests.server.listening import Listener

with warnings.catch_warnings():  # of importing vLLM: others' deprecations
    warnings.simplefilter("ignore")
    from vllm.entrypoints.launchers.api_server.app_state import init_app_state
    from vllm.entrypoints.launchers.app import build_app

    from server.engine.fake_client import FakeClient, FakeCore, Script, open_fake_engine
    from server.engine.remote.opening import open_remote_engine


class Elsewhere:
    """An engine's server that can go away and come back, as another process would."""

    def __init__(self, app: Any, client: FakeClient) -> None:
        self.app, self.client, self.port = app, client, free_port()
        self._listener: Listener | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def come(self) -> None:
        config = uvicorn.Config(
            self.app, port=self.port, lifespan="off", log_level="error", ws="none"
        )
        self._listener = Listener(config)
        self._serving = asyncio.create_task(self._listener.serve())
        await self._listener.listens.wait()

    async def go(self) -> None:
        """Cut every connection, as a process does that is killed, and forget all adapters."""
        if self._listener is None or self._serving is None:
            return
        self._listener.should_exit = self._listener.force_exit = True
        for connection in list(self._listener.server_state.connections):
            connection.transport.abort()  # type: ignore[union-attr]
        with suppress(asyncio.CancelledError):
            await self._serving
        self.app.state.openai_serving_models.lora_requests.clear()
        self._listener = None


@asynccontextmanager
async def elsewhere(
    args: argparse.Namespace, script: Script, **changed: Any
) -> AsyncIterator[Elsewhere]:
    """Serve as `vllm serve --enable-scale-out` does; `changed` are flags."""
    theirs = copy.copy(args)
    vars(theirs).update({"enable_scale_out": True, **changed})
    async with open_fake_engine(theirs, script) as client:
        app = build_app(theirs, ("generate",), client.model_config)
        await init_app_state(client, app.state, theirs, ("generate",))
        server = Elsewhere(app, client)
        await server.come()
        try:
            yield server
        finally:
            await server.go()


@asynccontextmanager
async def open_across(args: argparse.Namespace, script: Script) -> AsyncIterator[Any]:
    """`open_remote_engine` with such a server at the other end, its core at hand for tests."""
    async with elsewhere(args, script) as server:
        settings = Settings(data_dir=Path("unused"), engine_url=server.url)
        async with open_remote_engine(args, settings) as (client, cores):
            client.core, client.cores, client.elsewhere = server.client.core, cores, server
            yield client


__all__ = ["Elsewhere", "FakeCore", "elsewhere", "open_across"]

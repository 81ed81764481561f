"""A composed server on a real socket, filled: `python -m tests.console.served FOLDER RECORDS`.

It prints one line of JSON when it answers: its address, and a key for each role. It ends with its
standard input, so that none outlives who started it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
import uvicorn

from adaptation.pebble import model_path
from server.config import DEFAULT_TENANT
from tests.console.filled import add_many, fill
from tests.console.world import World
from tests.server.composed import Composed, composed


async def serve(folder: Path, records: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve until the standard input ends."""
    world = World(str(model_path()))
    async with composed(folder, monkeypatch, world.reply) as server:
        add_many(server.memory, records)
        keys = await fill(server, world, folder)
        config = uvicorn.Config(server.app, "127.0.0.1", 0, log_level="warning", lifespan="off")
        listening = uvicorn.Server(config)
        serving = asyncio.create_task(listening.serve())
        while not listening.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        port = listening.servers[0].sockets[0].getsockname()[1]
        told = {"url": f"http://127.0.0.1:{port}", "tenant": DEFAULT_TENANT, "keys": keys}
        print(json.dumps(told), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await _ended(server, listening, serving)


async def _ended(server: Composed, listening: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    listening.should_exit = listening.force_exit = True
    await serving


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patching:
        asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), patching))

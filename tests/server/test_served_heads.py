"""The server that vLLM's launcher starts bounds heads by vLLM's own flags."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from tests.server.composed import Reply, composed, launch


async def test_the_server_bounds_heads_as_its_flags_say(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--h11-max-header-count", "5"]
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply(""), flags) as server:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            args = server.app.state.args
            args.host, args.port = sock.getsockname()
            serving = asyncio.create_task(launch.serve(server.app, sock, args, head_s=60.0))
            told = []
            for headers in (1, 10):
                reader, writer = await asyncio.open_connection(args.host, args.port)
                more = b"X: a\r\n" * headers
                writer.write(b"GET /health HTTP/1.1\r\nConnection: close\r\n" + more + b"\r\n")
                async with asyncio.timeout(60):
                    told.append((await reader.read()).split(b"\r\n")[0])
                writer.close()
            launch.end(server.app)
            await serving
    assert told == [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 431 Request Header Fields Too Large",
    ]

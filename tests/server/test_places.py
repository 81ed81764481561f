"""Places of the engine: nobody who does not read holds one, and a server that stops tells all."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Message

from tests.server.composed import ASK, MODEL, Composed, Reply, composed

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
CHAT = "/v1/chat/completions"
PLAIN: dict[str, Any] = {**ASK, "stream": True, "adaptation": {"strategy": "plain"}}


async def unread(app: ASGIApp, reads: asyncio.Event) -> None:
    """Ask for a stream and take nothing of its body until told to."""
    body = json.dumps(PLAIN).encode()
    came = [{"type": "http.request", "body": body, "more_body": False}]
    headers = {"host": "127.0.0.1", "content-type": "application/json"}

    async def receive() -> Message:
        if came:
            return came.pop()
        await reads.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await reads.wait()

    scope = {
        "type": "http", "method": "POST", "path": CHAT, "raw_path": CHAT.encode(),
        "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1",
        "asgi": {"version": "3.0"}, "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    await app(scope, receive, send)


def _waiting(server: Composed) -> int:
    return sum(len(waiters) for waiters in server.parts.client._queue._waiting.values())


async def test_streams_that_nobody_reads_hold_nobody_up(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = Reply("word " * 30 + "#### 14")
    flags = ["--max-num-seqs", "2"]
    async with composed(data_dir.parent, monkeypatch, lambda _: long, flags) as server:
        reads = asyncio.Event()
        tasks = [asyncio.create_task(unread(server.app, reads)) for _ in range(4)]
        async with asyncio.timeout(20):
            for _ in range(4):
                await server.core.begun.acquire()
            answer = await server.chat(adaptation={"strategy": "plain"})
        assert answer["choices"][0]["message"]["content"].endswith("#### 14")
        reads.set()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_server_that_stops_tells_those_who_wait_for_a_place_too(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()  # never set: the engine goes on for ever
    flags = ["--max-num-seqs", "1"]
    async with composed(
        data_dir.parent, monkeypatch, lambda _: Reply("#### 14", gate), flags
    ) as server:
        message = {"model": MODEL, "max_tokens": 5, "messages": ASK["messages"]}
        asked = [
            *[server.http.post(CHAT, json=PLAIN) for _ in range(4)],
            *[server.http.post("/v1/messages", json=message) for _ in range(2)],
        ]
        tasks = [asyncio.create_task(each) for each in asked]
        async with asyncio.timeout(20):
            while _waiting(server) < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            await asyncio.to_thread(server.client.shutdown, timeout=0)
            answers = await asyncio.gather(*tasks)
        assert all(
            answer.status_code == 503 or '"code": 503' in answer.text or "stopping" in answer.text
            for answer in answers
        ), [(answer.status_code, answer.text) for answer in answers]
        assert len(server.core.taken) == 2, "a tenant alone has twice the engine's places"

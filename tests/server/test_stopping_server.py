"""Whatever waits when the server is told to stop is told so, and the server does stop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.server.composed import ASK, MODEL, Reply, composed, events_of
from tests.server.test_composition import neighbour

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
QUIET = {"write": False}
HELD = [
    {"adaptation": {"strategy": strategy, "memory": QUIET}, "stream": stream}
    for strategy in ("plain", "consistency")
    for stream in (False, True)
]


def held(request: Any) -> Reply:
    """A sample that does not end by itself."""
    return Reply("#### 1", gate=asyncio.Event())


@pytest.mark.parametrize("body", HELD, ids=["plain", "plain-stream", "voted", "voted-stream"])
async def test_a_request_under_way_gets_a_503_in_our_shape(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any]
) -> None:
    async with composed(data_dir.parent, monkeypatch, held) as server:
        asking = asyncio.create_task(server.http.post("/v1/chat/completions", json={**ASK, **body}))
        await server.core.begun.acquire()
        await asyncio.to_thread(server.client.shutdown, timeout=0)
        response = await asking
        if body["stream"]:
            error = events_of(response.text)[-1]["error"]
        else:
            assert response.status_code == 503
            assert response.headers["retry-after"]
            error = response.json()["error"]
        assert error["code"] == "service_unavailable"
        assert "stopping" in error["message"]
        late = await server.http.post("/v1/chat/completions", json=ASK)
        assert late.status_code == 503


async def test_a_request_that_waits_for_training_is_ended_too(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(data_dir.parent, monkeypatch, lambda request: Reply("#### 1")) as server:
        server.memory.save_many([neighbour(number) for number in range(12)])
        server.trainer.started.clear()
        server.trainer.let_go.clear()
        body = {**ASK, "adaptation": {"strategy": "ttt", "memory": QUIET}}
        asking = asyncio.create_task(server.http.post("/v1/chat/completions", json=body))
        await server.trainer.started.wait()
        await asyncio.to_thread(server.client.shutdown, timeout=0)
        assert (await asking).status_code == 503
        assert server.parts.leases.free == 4, "its adapter's name is free again"


async def test_what_ends_within_the_time_to_drain_is_answered(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()
    async with composed(
        data_dir.parent, monkeypatch, lambda request: Reply("#### 1", gate=gate)
    ) as server:
        message = {"model": MODEL, "max_tokens": 9, "messages": ASK["messages"]}
        asking = asyncio.create_task(server.post("/v1/messages", **message))
        await server.core.begun.acquire()
        stopping = asyncio.create_task(asyncio.to_thread(server.client.shutdown, timeout=60))
        await asyncio.sleep(0)
        gate.set()
        assert (await asking)["content"][0]["text"] == "#### 1"
        await stopping


async def test_every_request_is_told_by_an_error_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One error raised in hundreds of places has the trace of them all, and each logs it."""
    async with composed(tmp_path, monkeypatch, held) as server:
        body = {"model": MODEL, "prompt": ["Hi"] * 8, "max_tokens": 9}
        asking = [asyncio.create_task(server.http.post("/v1/completions", json=body))]
        asking += [
            asyncio.create_task(server.http.post("/v1/chat/completions", json=ASK))
            for _ in range(8)
        ]
        for _ in range(24):
            await server.core.begun.acquire()
        queues = [
            state.queue for state in server.parts.client.output_processor.request_states.values()
        ]
        told: list[Exception] = []
        for queue in queues:
            monkeypatch.setattr(queue, "put", told.append)
        await server.client.end_requests()
        assert len(told) == len({id(error) for error in told}) >= len(queues) >= 24
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def test_a_stream_of_messages_ends_with_the_error_in_anthropics_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"model": MODEL, "max_tokens": 9, "messages": ASK["messages"], "stream": True}
    async with composed(tmp_path, monkeypatch, held) as server:
        asking = asyncio.create_task(server.http.post("/v1/messages", json=body))
        await server.core.begun.acquire()
        await asyncio.to_thread(server.client.shutdown, timeout=0)
        last = events_of((await asking).text)[-1]
        assert last["type"] == "error"
        assert last["error"]["type"] == "overloaded_error"
        assert last["error"]["message"].startswith("The server is stopping")

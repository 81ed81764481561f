"""A server that is told to stop says so first, then takes no more, and lets requests finish."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.server.composed import ASK, Composed, Reply, composed
from tests.server.test_composition import neighbour

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
QUIET = {"memory": {"write": False}}


def stopping(server: Composed) -> asyncio.Task[Any]:
    return asyncio.create_task(asyncio.to_thread(server.client.shutdown, timeout=0))


async def until_not_ready(server: Composed) -> None:
    while (await server.http.get("/ready")).status_code == 200:  # noqa: ASYNC110 (by a thread)
        await asyncio.sleep(0.01)


async def test_for_the_time_of_notice_ready_says_no_and_requests_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(
        tmp_path, monkeypatch, lambda request: Reply("#### 1"), notice_s=3
    ) as server:
        end = stopping(server)
        await until_not_ready(server)
        assert (await server.chat())["choices"]
        assert not end.done()
        await end
        assert (await server.http.post("/v1/chat/completions", json=ASK)).status_code == 503


@pytest.mark.parametrize("strategy", ["plain", "consistency", "ttt"])
async def test_requests_under_way_finish_while_new_ones_are_refused(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    gate = asyncio.Event()
    async with composed(
        data_dir.parent, monkeypatch, lambda request: Reply("#### 1", gate=gate), drain_s=60
    ) as server:
        body = {**ASK, "adaptation": {**QUIET, "strategy": strategy}}
        if strategy == "ttt":
            server.memory.save_many([neighbour(number) for number in range(12)])
            server.trainer.started.clear()
            server.trainer.let_go.clear()
        asking = asyncio.create_task(server.http.post("/v1/chat/completions", json=body))
        begun = server.trainer.started.wait() if strategy == "ttt" else server.core.begun.acquire()
        await begun
        end = stopping(server)
        await until_not_ready(server)
        refused = await server.http.post("/v1/chat/completions", json=ASK)
        assert refused.status_code == 503
        assert "stopping" in refused.json()["error"]["message"]
        gate.set()
        server.trainer.let_go.set()
        answered = await asking
        assert answered.status_code == 200, answered.text
        assert answered.json()["adaptation"]["requested"] == strategy
        await end


async def test_what_does_not_finish_in_time_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = lambda request: Reply("#### 1", gate=asyncio.Event())  # noqa: E731
    async with composed(tmp_path, monkeypatch, script, drain_s=0.2) as server:
        asking = asyncio.create_task(server.http.post("/v1/chat/completions", json=ASK))
        await server.core.begun.acquire()
        await stopping(server)
        assert (await asking).status_code == 503

"""A real engine that is killed, or that hangs: the server tells, mends itself, and goes on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psutil
import pytest

from server.resident import role_of
from tests.e2e.running import Running, serving, wait_until

MOST_WAIT_S = 300
"""Ten seconds on two idle cores; tests share theirs."""
ENDLESS = {
    "model": "whet-pebble",
    "messages": [{"role": "user", "content": "Tell me a story."}],
    "max_tokens": 4000,
    "ignore_eos": True,
    "adaptation": {"memory": {"write": False}},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose engine may not be silent for long: as long as other tests may starve it."""
    folder = tmp_path_factory.mktemp("dying")
    flags = ("--engine-stall-s", "6", "--embedder", "hashing")
    with serving(folder / "data", folder / "server.log", *flags) as running:
        yield running


def core_of(server: Running) -> psutil.Process:
    return next(p for p in server.children() if role_of(" ".join(p.cmdline())) == "engine core")


def asked(server: Running, **more: Any) -> httpx.Response:
    return server.post("/v1/chat/completions", json={**ENDLESS, **more})


def kill(core: psutil.Process) -> None:
    os.kill(core.pid, signal.SIGKILL)


def stop(core: psutil.Process) -> None:
    os.kill(core.pid, signal.SIGSTOP)


@pytest.mark.parametrize("harm", [kill, stop], ids=["killed", "stopped"])
def test_whoever_waits_is_told_and_the_engine_is_at_work_again_soon(
    server: Running, harm: Callable[[psutil.Process], None]
) -> None:
    core, trainer = core_of(server), server.trainer()
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(asked, server, model=f"whet-pebble{s}") for s in ("", ":plain")]
        wait_until(lambda: server.metric("vllm:num_requests_running") >= 2, 30, "two requests")
        harm(core)
        began = time.monotonic()
        told = [each.result() for each in waiting]
    assert [each.status_code for each in told] == [503, 503]
    refused = asked(server, max_tokens=4)
    assert refused.status_code == 503
    assert refused.elapsed.total_seconds() < 5, "at once, and not after the engine's start"
    for each in (*told, refused):
        assert 1 < int(each.headers["retry-after"]) <= MOST_WAIT_S
        assert "started again" in each.json()["error"]["message"]
    assert server.get("/ready").status_code == 503
    assert server.get("/health").status_code == 200
    wait_until(lambda: server.get("/ready").status_code == 200, MOST_WAIT_S, "another engine")
    print(f"ready again after {time.monotonic() - began:.1f} s")
    answer = server.chat("What is 31 + 46?", adaptation={"memory": {"write": False}})
    assert answer["adaptation"]["answer"] == "77"
    assert not core.is_running()
    assert server.trainer().pid == trainer.pid, "nothing but the engine was started again"

"""A front and vLLM's own server as two processes: votes, an adapter, a vote that is left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from loadtests.measure.prometheus import total
from tests.e2e.running import (
    START_TIMEOUT_S,
    Running,
    as_jsonl,
    free_port,
    serving,
    stop,
    wait_until,
)
from tests.e2e.test_learning import ASKED, QUIET, TAUGHT

QUESTION = "Tom has 12 apples. He buys 7 more and gives 5 away. How many apples does Tom have?"
VOTED = {"strategy": "consistency", "max_samples": 4, "memory": {"read": False, "write": False}}


@contextmanager
def engine(log: Path) -> Iterator[str]:
    """Run `vllm serve --enable-scale-out` (which is this, in the CPU build) and give its URL."""
    port = free_port()
    command = [sys.executable, "-m", "loadtests.bare_vllm", "--port", str(port)]
    allowed = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--enable-scale-out"],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **allowed},
        )
    running = Running(f"http://127.0.0.1:{port}", log.parent, process, log)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()[-4000:]
        try:
            return running.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, START_TIMEOUT_S, "the engine's start")
        yield running.url
    finally:
        stop(running)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    """A front, and the URL of its engine."""
    folder = tmp_path_factory.mktemp("elsewhere")
    with engine(folder / "engine.log") as url:
        flags = ("--engine-url", url, "--embedder", "hashing")
        with serving(folder / "data", folder / "front.log", *flags) as running:
            yield running, url


def test_votes_are_those_of_an_engine_in_process(far: tuple[Running, str], server: Running) -> None:
    asked = {"seed": 11, "adaptation": VOTED, "logprobs": True, "top_logprobs": 2}
    here, there = server.chat(QUESTION, **asked), far[0].chat(QUESTION, **asked)
    assert here["adaptation"]["samples"]["finished"] > 1, here["adaptation"]
    assert there["adaptation"]["votes"] == here["adaptation"]["votes"]
    assert there["choices"] == here["choices"]
    assert there["usage"]["completion_tokens"] == here["usage"]["completion_tokens"]


def test_an_adapter_is_trained_here_and_sampled_through_there(far: tuple[Running, str]) -> None:
    front, _ = far
    assert front.post("/v1/memory/import", content=as_jsonl(TAUGHT)).json()["failed"] == 0
    answer = front.chat(ASKED[0].question, model="whet-pebble:ttt", adaptation=QUIET)
    report = answer["adaptation"]
    assert report["strategy"] == "ttt", report
    assert report["adapter"]["steps"] > 0
    assert report["samples"]["finished"] > 0


def test_who_leaves_a_vote_frees_its_sequences_there(far: tuple[Running, str]) -> None:
    front, url = far

    def there(series: str) -> float:
        return total(httpx.get(f"{url}/metrics", timeout=60).text, series)

    def running() -> float:
        return there("vllm:num_requests_running")

    before = there("vllm:generation_tokens_total")
    body = {
        "model": "whet-pebble",
        "messages": [{"role": "user", "content": QUESTION}],
        "ignore_eos": True,
        "max_tokens": 400,
        "stream": True,
        "adaptation": VOTED,
    }
    with httpx.stream("POST", f"{front.url}/v1/chat/completions", json=body, timeout=60):
        wait_until(lambda: running() > 0, 30, "the vote's begin")
    wait_until(lambda: running() == 0, 5, "the sequences' end")
    drawn = there("vllm:generation_tokens_total") - before
    assert drawn < 400, "of four times as many, had nobody left"
    assert front.get("/ready").status_code == 200

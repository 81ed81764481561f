"""A real server as its users run it: `whet serve` in a process of its own, on real weights."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import psutil
from openai import OpenAI

from loadtests.measure.prometheus import total

START_TIMEOUT_S = 300
STOP_TIMEOUT_S = 60


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    url: str
    data_dir: Path = Path()
    process: subprocess.Popen[bytes] | None = None
    """None: of somebody else, known by its URL alone; likewise its folder and its log."""
    log: Path = Path()

    @cached_property
    def openai(self) -> OpenAI:
        """The official client, pointed here; one for all, so that `close` leaves no socket open."""
        return OpenAI(base_url=f"{self.url}/v1", api_key="unused", max_retries=0, timeout=120)

    def close(self) -> None:
        """Let go of the connections; the server stays."""
        self.openai.close()

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=60)

    def post(self, path: str, **content: Any) -> httpx.Response:
        return httpx.post(self.url + path, timeout=120, **content)

    def delete(self, path: str) -> httpx.Response:
        return httpx.delete(self.url + path, timeout=60)

    def chat(self, question: str, model: str = "whet-pebble", **body: Any) -> dict[str, Any]:
        """Ask one question and return the whole response."""
        messages = [{"role": "user", "content": question}]
        response = self.post(
            "/v1/chat/completions", json={"model": model, "messages": messages, **body}
        )
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def metric(self, name: str, **labels: str) -> float:
        """Sum a Prometheus series over the labels that are not given."""
        return total(self.get("/metrics").text, name, **labels)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def trainer(self) -> psutil.Process:
        """The trainer's process."""
        return next(
            p for p in self.children() if "adaptation.learning.training.worker" in p.cmdline()
        )

    def whet(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run another `whet` command on the same data directory."""
        command = [sys.executable, "-m", "server.cli", *words, "--data-dir", str(self.data_dir)]
        return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; one that has ended may wait for its new parent to take note."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Any, timeout_s: float, what: str) -> None:
    """Poll another process, which has no event to wait for."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s} s"
        time.sleep(0.1)


@contextmanager
def serving(
    data_dir: Path, log: Path, *flags: str, env: Mapping[str, str] = {}
) -> Iterator[Running]:
    """Run a server for the length of the block and end it as an operator would."""
    port = free_port()
    command = [sys.executable, "-m", "server.cli", "serve", "--port", str(port)]
    command += ["--data-dir", str(data_dir), "--champion-poll-s", "0.5", *flags]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **env}
        )
    running = Running(f"http://127.0.0.1:{port}", data_dir, process, log)
    try:
        wait_until(lambda: _is_ready(running), START_TIMEOUT_S, "the server's start")
        yield running
    finally:
        running.close()
        stop(running)


def stop(running: Running) -> int:
    """SIGTERM, and wait: returns the exit code. What outlives its deadline is killed and told."""
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
    try:
        return running.process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        for process in [*running.children(), running.process]:
            process.kill()
        raise


def _is_ready(running: Running) -> bool:
    code = running.process.poll()
    assert code is None, f"the server ended with {code}:\n{running.log.read_text()[-4000:]}"
    try:
        return running.get("/ready").status_code == 200
    except httpx.TransportError:
        return False


def as_jsonl(solved: Any) -> bytes:
    """Solved examples as the lines that `/v1/memory/import` takes."""
    rows = (
        {"question": s.question, "answer": s.answer, "rationale": s.rationale, "task": s.task}
        for s in solved
    )
    return "\n".join(json.dumps(row) for row in rows).encode()

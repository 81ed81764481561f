"""One replica as tests see it: a process on a port, started and killed again and again.

Processes are forked by one that has imported vLLM already: an import takes ten seconds of a core.
"""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import httpx

from server.server_process import free_port

READY_S, STOP_S = 600.0, 60.0
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["tests.server.replicas.scripted"])


def serve(words: list[str], log: Path) -> None:
    """Be the server: imported there, where all of it is imported already."""
    from tests.server.replicas.scripted import main

    main(words, log)


@dataclass
class Replica:
    """One server."""

    name: str
    flags: tuple[str, ...]
    folder: Path
    """Its data folder lies here, and its log."""
    port: int = field(default_factory=free_port)
    process: ForkServerProcess | None = None

    def begin(self) -> None:
        """Start it, and do not wait."""
        words = ["--port", str(self.port), "--data-dir", str(self.data_dir), *self.flags]
        self.process = FORKING.Process(target=serve, args=(words, self.log), daemon=True)
        self.process.start()

    def wait(self) -> None:
        """Wait until it is ready."""
        end = time.monotonic() + READY_S
        while not self.is_ready:
            if not self.is_alive or time.monotonic() > end:
                told = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
                raise RuntimeError(f"{self.name} did not start:\n{told[-3000:]}")
            time.sleep(0.05)

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.is_alive()

    @property
    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/ready", timeout=10).status_code == 200
        except httpx.HTTPError:
            return False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def data_dir(self) -> Path:
        return self.folder / self.name

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def kill(self) -> None:
        """End it as the kernel would."""
        assert self.process is not None
        self.process.kill()
        self.process.join(STOP_S)

    def stop(self) -> None:
        """SIGTERM; whatever stays is killed."""
        if self.process is not None and self.is_alive:
            self.process.terminate()
            self.process.join(STOP_S)
            self.kill()


class Client:
    """Asks one replica, or the balancer, with a key."""

    def __init__(self, url: str, key: str | None = None) -> None:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=60)

    def get(self, path: str, **parameters: Any) -> Any:
        """Return what a request that goes well is answered with."""
        return self._good(self.http.get(path, params=parameters))

    def post(self, path: str, **body: Any) -> Any:
        return self._good(self.http.post(path, json=body))

    def delete(self, path: str) -> Any:
        return self._good(self.http.delete(path))

    def chat(self, question: str, **more: Any) -> Any:
        return self.post("/v1/chat/completions", **asked(question, **more))

    def _good(self, response: httpx.Response) -> Any:
        assert response.status_code == 200, f"{response.request.url}: {response.text}"
        return response.json()


def asked(question: str, **more: Any) -> dict[str, Any]:
    """Return the body of a chat."""
    return {"model": "whet-pebble", "messages": [{"role": "user", "content": question}], **more}


ANSWER = "The answer is 14."
"""Of every question: see `scripted`."""
VERIFIED = {
    "strategy": "consistency",
    "max_samples": 2,
    "verifiers": [{"type": "string_check", "reference": "14", "operation": "eq"}],
}
"""Saves the scripted answer."""

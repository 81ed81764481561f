"""A real server that is told to stop: whoever waits is told, and it ends well and soon."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.running import Running, serving, stop

ENDLESS = {
    "model": "whet-pebble:plain",
    "messages": [{"role": "user", "content": "Tell me a story."}],
    "max_tokens": 4000,
    "ignore_eos": True,
    "stream": True,
}


def test_a_stop_tells_who_waits_and_outlasts_no_body_that_does_not_end(tmp_path: Path) -> None:
    with (
        serving(tmp_path / "data", tmp_path / "server.log") as running,
        _unfinished_body(running),
    ):
        events = _streamed_until_stopped(running)
        assert stop(running) == 0
    assert events[-1]["error"]["code"] == "service_unavailable"
    assert "stopping" in events[-1]["error"]["message"]


def _unfinished_body(running: Running) -> socket.socket:
    port = int(running.url.rpartition(":")[2])
    connection = socket.create_connection(("127.0.0.1", port))
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100\r\n\r\n{"
    connection.sendall(head.encode())
    return connection


def _streamed_until_stopped(running: Running) -> list[dict[str, Any]]:
    """Stop the server upon the first words of a long answer; return all of its events."""
    events = []
    url = f"{running.url}/v1/chat/completions"
    with httpx.stream("POST", url, json=ENDLESS, timeout=60) as response:
        for line in response.iter_lines():
            if line.startswith("data: {"):
                events.append(json.loads(line.removeprefix("data: ")))
                if len(events) == 3:
                    running.process.send_signal(signal.SIGTERM)
    return events

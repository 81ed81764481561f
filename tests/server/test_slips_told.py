"""Slips that a newcomer makes, and the sentence that says what to do."""

from __future__ import annotations

import json
import logging
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import update

from adaptation.evaluation.errors import EvaluationError
from adaptation.evaluation.target import Target
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.store.schema import tenant_limits
from memory.store.scope import EVERYONE
from memory.tenants import Limits
from server import cli
from server.models.named import taken_for
from whet import root_of

DENIAL = json.dumps({"error": {"message": "no valid API key"}}).encode()


class Locked(BaseHTTPRequestHandler):
    """Wants a key."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(DENIAL)))
        self.end_headers()
        self.wfile.write(DENIAL)

    def log_message(self, *_: object) -> None:
        pass


async def test_an_evaluation_without_a_key_is_told_where_to_give_it() -> None:
    with HTTPServer(("127.0.0.1", 0), Locked) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(EvaluationError, match="give its key with --api-key"):
            await Target(f"http://127.0.0.1:{server.server_port}", None).__aenter__()
        server.shutdown()


NOWHERE = ("--url", "http://127.0.0.1:9")
ASKING = {
    "ask": ("ask", "Hello", *NOWHERE),
    "chat": ("chat", *NOWHERE),
    "warm": ("adapters", "warm", *NOWHERE),
    "eval": ("eval", "--suite", "stories", *NOWHERE),
    "demo": ("demo", *NOWHERE),
}
"""Commands that send a key."""
CURLY = "\u201cwhet-key\u201d"


@pytest.mark.parametrize("command", ASKING)
def test_a_key_that_no_header_carries_is_told_as_that(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if is_from_environment := command in ("demo", "warm"):
        monkeypatch.setenv("WHET_API_KEY", CURLY)
    flags = () if is_from_environment else ("--api-key", CURLY)
    assert cli.main([*ASKING[command], *flags]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said == ["whet: the key has characters that no key has: copy it once more"]


@pytest.mark.parametrize("url", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"])
def test_an_address_may_name_the_path_of_the_routes(url: str) -> None:
    assert root_of(url) == "http://h:1"


def test_a_package_that_an_update_needs_is_no_defect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(words: list[str]) -> int:
        raise ModuleNotFoundError("No module named 'novel'", name="novel")

    monkeypatch.setattr(cli, "_dispatch", missing)
    assert cli.main(["jobs", "list"]) == 1
    said = capsys.readouterr().err
    assert "the package 'novel' is missing: run `make install`" in said
    assert "defect" not in said


def test_limits_that_cannot_be_read_leave_the_others_theirs(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(LongTermMemory.open(data_dir, create_embedder("hashing"))) as memory:
        for tenant in ("acme", "globex"):
            memory.tenants.set(tenant, Limits(requests_per_minute=5))
        broken = update(tenant_limits).where(tenant_limits.c.tenant == "acme")
        with memory._database.writing(EVERYONE) as connection:
            connection.execute(broken.values(limits={"requests_per_minute": "many", "new": 1}))
        with caplog.at_level(logging.WARNING):
            found = memory.tenants.list()
        assert found == {"acme": Limits(), "globex": Limits(requests_per_minute=5)}
        assert memory.tenants.of("acme", Limits(requests_per_minute=9)).requests_per_minute == 9
    assert "`whet tenants set acme` gives it others" in caplog.text


def test_a_model_that_no_hub_has_is_told_apart_from_those_at_hand(tmp_path: Path) -> None:
    assert "`whet models list`" in taken_for("org/unknown")
    assert taken_for(str(tmp_path)) == ""

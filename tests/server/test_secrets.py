"""No secret is in anything that is written: logs, errors, settings, descriptions."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from memory.store.database import open_database
from server.models.shelf import Shelf
from server.settings.hiding import HidingFormatter, hidden
from server.tenancy.secret import Secret
from server.tuning.tuned import TUNED
from tests.server.composed import ASK, Composed, Reply, composed

CANARY = "canary0c4f1d9b7e6a5830"
KEY = f"whet-{CANARY}{'x' * (43 - len(CANARY))}"
DATABASE_URL = f"postgresql://whet:{CANARY}@db.example/whet"
ENVIRONMENT = {
    "VLLM_API_KEY": f"vllm-{CANARY}",
    "HF_TOKEN": f"hf_{CANARY}",
    "AWS_SECRET_ACCESS_KEY": CANARY,
    "AWS_SESSION_TOKEN": CANARY,
    "OPENAI_API_KEY": f"sk-{CANARY}",
    "PGPASSWORD": CANARY,
}


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (DATABASE_URL, "postgresql://whet:***@db.example/whet"),
        (f"s3://id:{CANARY}@bucket/a", "s3://id:***@bucket/a"),
        (
            f"no server at {DATABASE_URL}?x=1",
            "no server at postgresql://whet:***@db.example/whet?x=1",
        ),
        (f"postgresql://whet:{CANARY}@{CANARY}/:@db/whet", "postgresql://whet:***@db/whet"),
        (f"postgresql://db/whet?password={CANARY}&a=1", "postgresql://db/whet?password=***&a=1"),
        (f"the key {KEY} is unknown", "the key *** is unknown"),
        (f"token hf_{CANARY}", "token ***"),
        ("http://127.0.0.1:8000/v1 and mail@example.org", None),
        ("whet-pebble, whet-champion", None),
    ],
)
def test_what_is_secret_is_masked_and_nothing_else(told: str, shown: str | None) -> None:
    assert hidden(told) == (told if shown is None else shown)


def test_a_log_line_hides_what_its_message_its_arguments_and_its_exception_hold() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(HidingFormatter(logging.Formatter("%(message)s")))
    logger = logging.Logger("of this test")
    logger.addHandler(handler)
    try:
        raise ConnectionError(f"no connection to {DATABASE_URL}")
    except ConnectionError:
        logger.exception("with %s", KEY)
    assert CANARY not in stream.getvalue()
    assert "ConnectionError" in stream.getvalue()


def test_an_error_of_the_database_quotes_no_content(data_dir: Path) -> None:
    database = open_database(data_dir)
    with pytest.raises(OperationalError) as error, database._engine.connect() as connection:
        connection.execute(text("SELECT * FROM no_such_table WHERE x = :x"), {"x": CANARY})
    database.close()
    assert CANARY not in str(error.value)


@pytest.mark.parametrize(
    "first",
    [
        lambda folder: open_database(folder).close(),
        Secret.of_folder,
        lambda folder: Shelf(folder).make_folder(),
        lambda folder: TUNED.save(folder, "a-model", None),
    ],
    ids=["database", "secret", "models", "findings"],
)
def test_a_data_folder_is_its_owners_only_whatever_is_put_there_first(
    tmp_path: Path, first: Callable[[Path], object]
) -> None:
    before = os.umask(0o022)
    try:
        first(tmp_path / "above" / "data")
    finally:
        os.umask(before)
    assert (tmp_path / "above" / "data").stat().st_mode & 0o077 == 0


def test_a_data_folder_that_is_there_is_left_to_whoever_made_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    open_database(tmp_path).close()
    assert tmp_path.stat().st_mode & 0o777 == 0o750


def whet(*words: str, folder: Path) -> str:
    """Return all that a command writes."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "server.cli", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env={
            **os.environ, **ENVIRONMENT, "WHET_DATA_DIR": str(folder / "data"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        timeout=300,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("serve", "--print-config", "--api-key", CANARY, "--hf-token", CANARY),
        ("serve", f"--api-kye={CANARY}", "--print-config"),
        ("serve", "--print-config", "--wall-s", DATABASE_URL),
        ("serve", "./none", "--api-key", CANARY),
        ("doctor", "--json"),
        ("doctor", "--verbose", "--api-key", CANARY),
        ("keys", "list"),
        ("memory", "stats", "--traceback"),
        ("eval", "--url", f"http://me:{CANARY}@127.0.0.1:9/", "--api-key", CANARY, "-n", "1"),
        ("adapters", "warm", "--url", f"http://me:{CANARY}@127.0.0.1:9", "--api-key", CANARY),
        ("backup", f"s3://id:{CANARY}@bucket/whet.tar.gz", "x"),
    ],
)
def test_a_command_writes_no_secret(words: tuple[str, ...], tmp_path: Path) -> None:
    written = whet(*words, folder=tmp_path)
    assert written
    assert CANARY not in written


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    """What is logged, by everybody and down to the least."""
    stream = io.StringIO()
    handler, root = logging.StreamHandler(stream), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


async def test_a_server_writes_no_secret_wherever_it_is_sent(
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    everything_logged: io.StringIO,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    flags = ["--api-key", f"operator-{CANARY}", "--hf-token", f"hf_{CANARY}"]
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("14"), flags) as server:
        secret = (server.parts.memory.data_dir / "secret").read_bytes()
        texts = [text async for text in _answers(server)]
        assert texts
    out, err = capfd.readouterr()
    for written in (*texts, out, err, everything_logged.getvalue()):
        assert CANARY not in written
        assert secret.hex() not in written


async def _answers(server: Composed) -> Any:
    """Ask with good keys, bad keys and none, what is right and what is wrong."""
    http, operator = server.http, {"authorization": f"Bearer operator-{CANARY}"}
    made = await http.post("/v1/admin/keys", json={"name": "a", "role": "user"}, headers=operator)
    key = made.json()["key"]  # shown once
    assert key.startswith("whet-")
    for headers in (
        {}, operator, {"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY},
        {"authorization": f"Basic {CANARY}"}, {"authorization": f"Bearer {key}"},
    ):  # fmt: skip
        for path in ("/v1/models", "/openapi.json", "/metrics", "/server_info", "/v1/admin/keys",
                     "/ready", "/version", "/none", "/v1/memory/records"):  # fmt: skip
            yield (response := await http.get(path, headers=headers)).text
            assert key not in response.text
        for body in (ASK, {**ASK, "model": "none"}, {**ASK, "n": "x"}, {}):
            yield (await http.post("/v1/chat/completions", json=body, headers=headers)).text

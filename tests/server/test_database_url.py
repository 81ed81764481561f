"""`--database-url`: taken by every command that opens the memory, shown without what opens it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from loadtests.postgres import Cluster
from server.checks import Subject
from server.cli import main
from server.commands.eval_server import chosen
from server.config import ConfigError, Settings
from server.doctor import check_database
from server.settings.flags import print_config
from server.settings.setting_sources import resolve

SECRET = "postgresql://whet:hush-hush@db.invalid:5432/memory?sslmode=require&password=hush-too"
SHOWN = "postgresql://whet@db.invalid:5432/memory"


@pytest.fixture
def url(postgres: Cluster, migrated_url: str) -> Iterator[str]:
    made = postgres.database(migrated_url)
    yield made
    postgres.drop(made)


@pytest.fixture
def whet(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Return what runs a command on the database, and returns what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHET_DATABASE_URL", url)
    monkeypatch.setenv("WHET_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("WHET_EMBEDDER", "hashing")

    def run(*words: str) -> str:
        assert main(list(words)) == 0
        return capsys.readouterr().out

    return run


def test_no_password_is_in_the_settings_table_in_a_dump_or_in_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    resolved = resolve({"database_url": SECRET}, {})
    print_config(resolved)
    settings = resolved.settings
    texts = [
        capsys.readouterr().out,
        repr(settings),
        settings.model_dump_json(),
        str(settings.model_dump()),
        str(settings.database_url),
    ]
    assert all("hush" not in text and SHOWN in text for text in texts)


@pytest.mark.parametrize("wrong", ["mysql://u:hush@h/d", "postgresql://u:hush@h", "hush"])
def test_what_is_no_address_of_postgresql_is_refused_without_being_repeated(wrong: str) -> None:
    for layers in (({"database_url": wrong}, {}), ({}, {"WHET_DATABASE_URL": wrong})):
        with pytest.raises(ConfigError, match=r"database_url: .*postgresql://USER") as told:
            resolve(*layers)
        assert "hush" not in str(told.value)


def test_none_is_the_file() -> None:
    assert resolve({"database_url": "none"}, {"WHET_DATABASE_URL": SECRET}).settings == Settings()


def test_commands_work_on_the_database(whet: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "lines.jsonl").write_text('{"question": "1+1?", "answer": "2"}\n')
    whet("memory", "import", "lines.jsonl")
    assert json.loads(whet("memory", "stats", "--json"))["records"] == 1
    key = json.loads(whet("keys", "create", "--role", "admin", "--json"))
    assert key["id"] in whet("keys", "list")
    whet("tenants", "set", "acme", "--concurrent-requests", "3")
    assert "acme" in whet("tenants", "list")
    whet("ledger")
    whet("adapters", "list")
    whet("memory", "verify")
    whet("backup", "b.tar.gz")
    assert not (tmp_path / "data" / "whet.db").exists()


def test_a_flag_wins_over_the_environment(whet: Callable[..., str], url: str) -> None:
    assert main(["memory", "stats", "--database-url", SECRET]) == 1


def test_a_server_that_is_not_there_is_told_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    address = "postgresql://whet:hush@127.0.0.1:1/memory"
    words = ["memory", "stats", "--embedder", "hashing", "--data-dir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "server.cli", *words, "--database-url", address],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "hush" not in done.stderr + done.stdout
    (line,) = done.stderr.splitlines()
    assert "postgresql://whet@127.0.0.1:1/memory is not reachable: start the server" in line


@pytest.mark.parametrize(
    ("address", "status", "found"),
    [(None, "ok", "schema"), ("postgresql://u:hush@127.0.0.1:1/d", "fail", "not reachable")],
)
def test_the_doctor_looks_at_it(
    url: str, tmp_path: Path, address: str | None, status: str, found: str
) -> None:
    settings: Sequence[tuple[str, object]] = [("database_url", address or url)]
    check = check_database(Subject(Settings(data_dir=tmp_path, **dict(settings))))
    assert check.status == status
    assert found in check.found
    assert "hush" not in check.found


def test_a_server_of_an_evaluation_has_a_database_of_its_own() -> None:
    assert chosen(Settings(database_url=SECRET, max_samples=4)) == {"max_samples": "4"}

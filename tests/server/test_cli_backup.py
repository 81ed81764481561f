"""`whet backup` and `whet restore` as a shell sees them: output, one-line errors, exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from server.cli import main
from tests.memory.older import older_database
from tests.server.backups import full_folder, questions_in, register, remember

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str


Whet = Callable[..., Done]


@pytest.fixture
def whet(
    tmp_path: Path,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Whet:
    """Run a command in this process, in a folder with a data folder in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHET_DATA_DIR", str(data_dir))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def run(*words: str) -> Done:
        status = main(words)
        captured = capsys.readouterr()
        return Done(status, captured.out, captured.err)

    return run


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "server.cli", *words]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("name", ["backup", "restore"])
def test_help_ends_with_examples(whet: Whet, name: str) -> None:
    done = whet(name, "--help")
    assert done.status == 0
    assert f"examples:\n  whet {name} " in done.stdout


def test_what_was_backed_up_and_restored_is_said_in_a_line_each(
    whet: Whet, data_dir: Path, tmp_path: Path
) -> None:
    full_folder(data_dir)
    taken = whet("backup", "b.tar.gz")
    assert (taken.status, taken.stderr) == (0, "")
    assert taken.stdout == "backed up 2 records and 1 adapter to b.tar.gz: 0.0 MB\n"
    back = whet("restore", "b.tar.gz", "--data-dir", "new")
    assert (back.status, back.stderr) == (0, "")
    assert back.stdout.startswith(f"restored 2 records and 1 adapter to {tmp_path / 'new'}, as ")
    assert len(back.stdout.splitlines()) == 1


def test_programs_read_json(whet: Whet, data_dir: Path, tmp_path: Path) -> None:
    full_folder(data_dir)
    taken = json.loads(whet("backup", "b.tar.gz", "--json").stdout)
    assert (taken["file"], taken["records"], taken["left_out"]) == ("b.tar.gz", 2, [])
    assert taken["size"] == (tmp_path / "b.tar.gz").stat().st_size
    assert {member["name"] for member in taken["members"]} >= {"whet.db", "tuned.json"}
    back = json.loads(whet("restore", "b.tar.gz", "--force", "--json").stdout)
    assert back["members"] == taken["members"]
    assert (back["folder"], back["migrated_from"]) == (str(data_dir), None)
    assert Path(back["moved_aside"]).is_dir()


def test_a_forced_restore_says_where_the_old_folder_is(whet: Whet, data_dir: Path) -> None:
    whet("backup", "b.tar.gz")
    remember(data_dir, "since then")
    last = whet("restore", "b.tar.gz", "--force").stdout.splitlines()[-1]
    assert last.startswith("what was there before is now ")
    assert questions_in(Path(last.rpartition(" ")[2])) == ["since then"]
    assert questions_in(data_dir) == []


def test_a_migration_and_adapters_that_were_left_out_are_said(whet: Whet, tmp_path: Path) -> None:
    older_database(tmp_path / "old")
    whet("backup", "old.tar.gz", "--data-dir", "old")
    done = whet("restore", "old.tar.gz", "--data-dir", "new")
    assert "its database was migrated from schema 0007\n" in done.stdout
    adapter = register(tmp_path / "new", 1.0)
    (tmp_path / "new" / "adapters" / adapter / "adapter_config.json").unlink()
    told = whet("backup", "new.tar.gz", "--data-dir", "new")
    assert told.status == 0
    assert told.stderr == (
        f"whet: adapter {adapter} is left out: its files are missing or damaged\n"
    )
    again = whet("restore", "new.tar.gz", "--data-dir", "again")
    assert f"not in the backup are the adapters {adapter}\n" in again.stdout


@pytest.mark.parametrize(
    ("words", "status", "hint"),
    [
        (("backup",), 2, "FILE"),
        (("restore",), 2, "FILE"),
        (("backup", "b", "c"), 2, "unrecognized arguments: c"),
        (("restore", "b", "--forse"), 2, "did you mean --force?"),
        (("backup", "-", "--json"), 2, "name a FILE"),
        (("backup", "b", "--data-dir", "absent"), 1, "there is no memory in"),
        (("backup", "absent/b"), 1, "there is no folder"),
        (("backup", "."), 1, "is no file"),
        (("backup", "/dev/null"), 1, "is no file"),
        (("backup", "data/whet.db"), 1, "lies in the data folder"),
        (("restore", "absent", "--data-dir", "new"), 1, "absent cannot be read: No such file"),
        (("restore", ".", "--data-dir", "new"), 1, "cannot be read: Is a directory"),
        (("restore", "data/whet.db", "--data-dir", "new"), 1, "no archive of `whet backup`"),
        (("restore", "whole", "--data-dir", "whole"), 2, "is a file; give a folder"),
        (("restore", "whole"), 1, "is not empty: --force"),
        (("restore", "cut", "--data-dir", "new"), 1, "cut short, damaged or no backup"),
        (("restore", "whole", "--data-dir", "/proc/nowhere"), 1, "cannot be written"),
        (("restore", "whole", "--force", "--data-dir", "/proc"), 1, "a disk is mounted"),
    ],
)
def test_an_error_is_one_line_on_stderr_that_says_what_to_do(
    whet: Whet, tmp_path: Path, words: tuple[str, ...], status: int, hint: str
) -> None:
    whet("backup", "whole")
    (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:-1])
    before = sorted(path.name for path in tmp_path.iterdir())
    done = whet(*words)
    assert (done.status, done.stdout) == (status, "")
    assert len(done.stderr.splitlines()) == 1
    assert hint in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_backup_goes_through_a_pipe(whet: Whet, data_dir: Path, tmp_path: Path) -> None:
    remember(data_dir, "through a pipe")
    with (tmp_path / "b.tar.gz").open("wb") as output:
        done = subprocess.run(
            command("backup", "-"), stdout=output, stderr=subprocess.PIPE, env=environment()
        )
    assert done.returncode == 0
    assert done.stderr.startswith(b"backed up 1 record and 0 adapters to -: ")
    assert whet("restore", "b.tar.gz", "--data-dir", "new").status == 0
    assert questions_in(tmp_path / "new") == ["through a pipe"]


def test_a_reader_that_goes_away_leaves_no_traceback(whet: Whet, data_dir: Path) -> None:
    (data_dir / "tuned.json").write_bytes(os.urandom(300_000))  # more than a pipe holds
    with subprocess.Popen(
        command("backup", "-"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


@pytest.mark.parametrize("small_disk", ["100k"], indirect=True)
def test_a_full_disk_is_told_in_one_line_and_nothing_half_is_left(
    whet: Whet, small_disk: Path
) -> None:
    taken = whet("backup", str(small_disk / "b.tar.gz"))
    assert taken.status == 1
    assert taken.stderr.endswith(": the disk is full: make room there, or name another place\n")
    whet("backup", "b.tar.gz")
    back = whet("restore", "b.tar.gz", "--data-dir", str(small_disk / "data"))
    assert back.status == 1
    assert "0 MB are free: make room there" in back.stderr
    assert len(taken.stderr.splitlines()) == len(back.stderr.splitlines()) == 1
    assert list(small_disk.iterdir()) == []


def test_a_restore_beside_a_process_that_works_there_is_refused(
    whet: Whet, data_dir: Path, tmp_path: Path
) -> None:
    whet("backup", "b.tar.gz")
    holding = (
        "import sys, time, pathlib; from memory.store.database import open_database; "
        "database = open_database(pathlib.Path(sys.argv[1])); print(1, flush=True); time.sleep(600)"
    )
    words = [sys.executable, "-c", holding, str(data_dir)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment()) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        done = whet("restore", "b.tar.gz", "--force")
        assert done.status == 1
        assert done.stderr.startswith(f"whet: {data_dir} is in use: stop the server")
        assert whet("backup", "c.tar.gz").status == 0
        holder.send_signal(signal.SIGKILL)
    assert whet("restore", "b.tar.gz", "--force").status == 0

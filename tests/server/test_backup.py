"""A backup holds what cannot be had anew, taken while others write, and gives it back."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from memory.errors import StorageBusyError, StorageUnavailableError
from memory.store.artifacts import Artifacts
from memory.store.database import open_database
from memory.store.schema import SCHEMA_VERSION
from memory.store.sqlite import FILE_NAME
from memory.versions.adapters import AdapterRegistry
from server.backup.exchange import _rename_thrice, exchange
from server.backup.manifest import DATABASE, EVALUATIONS, SINGLE_FILES
from server.backup.place import Place
from server.backup.restoring import restore
from server.backup.taking import WORK, take, take_to_stdout
from server.commands import eval_run
from server.erasure import signing
from server.tenancy import secret
from server.terminal import CommandError
from server.tuning import calibrations, tuned, tuning_trials
from tests.memory.older import older_database
from tests.server.backups import (
    TUNED,
    backed_up,
    files_in,
    full_folder,
    questions_in,
    register,
    remember,
    restored,
)

Bytes = pytest.CaptureFixture[bytes]

WRITER = """
import sys
from pathlib import Path
from memory.embedding.hashing import HashingEmbedder
from memory.memory import LongTermMemory
from memory.types import Draft, Message, Tier

memory = LongTermMemory.open(Path(sys.argv[1]), HashingEmbedder(64))
for number in range(100_000):
    question = Message(role="user", content=f"question {number}")
    memory.save(Draft(tenant="ann", messages=(question,), answer="4", rationale="4",
                      tier=Tier.FEEDBACK))
    print(f"question {number}", flush=True)
"""


def test_a_folder_comes_back_as_it_was(data_dir: Path, tmp_path: Path) -> None:
    full_folder(data_dir)
    taken = backed_up(data_dir, tmp_path / "b.tar.gz")
    assert taken.size_bytes == (tmp_path / "b.tar.gz").stat().st_size
    back = restored(tmp_path / "b.tar.gz", tmp_path / "new" / "data")
    assert (back.migrated_from, back.moved_aside) == (None, None)
    assert back.manifest == taken.manifest
    assert back.manifest.held == "2 records and 1 adapter"
    assert files_in(tmp_path / "new" / "data") == files_in(data_dir)
    assert questions_in(tmp_path / "new" / "data") == ["three and one?", "two and two?"]


def test_what_replicas_share_is_there_again_after_a_restore(data_dir: Path, tmp_path: Path) -> None:
    full_folder(data_dir)
    backed_up(data_dir, tmp_path / "b.tar.gz")
    shared = tmp_path / "shared"
    restored(tmp_path / "b.tar.gz", tmp_path / "new" / "data", artifacts=str(shared))
    replica = tmp_path / "replica"
    replica.mkdir()
    shutil.copy(tmp_path / "new" / "data" / FILE_NAME, replica)
    with closing(open_database(replica)) as database:
        registry = AdapterRegistry(database, replica / "adapters", Artifacts(str(shared)))
        (version,) = registry.list("ann")
        assert registry.files_ok(version), "fetched from what is shared"
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageUnavailableError, match="artifacts at"):
        restored(tmp_path / "b.tar.gz", tmp_path / "other", artifacts=str(tmp_path / "file"))
    assert not (tmp_path / "other").exists(), "a store that cannot be reached is told before"


@settings(max_examples=12, phases=[Phase.explicit, Phase.generate])
@given(
    single=st.dictionaries(st.sampled_from(SINGLE_FILES), st.binary(max_size=3000)),
    kept=st.dictionaries(st.from_regex(r"[\w-]{1,20}", fullmatch=True), st.binary(max_size=3000)),
)
def test_whatever_files_there_are_come_back_the_same(
    empty_database: Path,
    tmp_path_factory: pytest.TempPathFactory,
    single: dict[str, bytes],
    kept: dict[str, bytes],
) -> None:
    folder = tmp_path_factory.mktemp("round") / "data"
    (folder / EVALUATIONS).mkdir(parents=True)
    shutil.copy(empty_database, folder)
    for name, data in (single | {f"{EVALUATIONS}/{n}.jsonl": d for n, d in kept.items()}).items():
        (folder / name).write_bytes(data)
    backed_up(folder, folder.with_name("b.tar.gz"))
    restored(folder.with_name("b.tar.gz"), folder.with_name("again"))
    assert files_in(folder.with_name("again")) == files_in(folder)


def test_what_can_be_had_anew_and_what_is_not_whets_stay_out(
    data_dir: Path, tmp_path: Path
) -> None:
    full_folder(data_dir)
    names = ("index/x.vectors", "kept-adapters/ab/kept.json", "models/m/config.json", "notes.txt")
    unnamed = ("whet.db.schema-0007", "tuned.new", "adapters/ad_000000000000/adapter_config.json")
    for name in (*names, *unnamed):
        (data_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (data_dir / name).write_text("not in a backup")
    taken = backed_up(data_dir, tmp_path / "b.tar.gz")
    held = {member.name for member in taken.manifest.members}
    assert held.isdisjoint({*names, *unnamed})
    assert len(held) == 6


def test_keys_open_after_a_restore_and_the_secret_is_its_owners_only(
    data_dir: Path, tmp_path: Path
) -> None:
    full_folder(data_dir)
    digest = secret.Secret.of_folder(data_dir).digest_of("whet-key")
    backed_up(data_dir, tmp_path / "b.tar.gz")
    folder = tmp_path / "again"
    restored(tmp_path / "b.tar.gz", folder)
    assert secret.Secret.of_folder(folder).digest_of("whet-key") == digest
    assert (folder / secret.FILE_NAME).stat().st_mode & 0o077 == 0


def test_the_names_of_a_backup_are_those_that_the_code_writes() -> None:
    files = {
        secret.FILE_NAME,
        signing.FILE_NAME,
        tuned.FILE,
        calibrations.FILE,
        tuning_trials.TRIALS,
    }
    assert set(SINGLE_FILES) == files
    assert (DATABASE, EVALUATIONS) == (FILE_NAME, eval_run.FOLDER)


def test_a_backup_beside_a_writing_process_holds_all_that_was_acknowledged_before(
    data_dir: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", WRITER, str(data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged: list[str] = []
        for round_ in range(3):
            acknowledged += [writer.stdout.readline().strip() for _ in range(8)]
            backed_up(data_dir, tmp_path / f"{round_}.tar.gz")
            restored(tmp_path / f"{round_}.tar.gz", tmp_path / str(round_))
            assert set(acknowledged) <= set(questions_in(tmp_path / str(round_)))
        assert writer.poll() is None, "nobody was in the writer's way"
        writer.kill()


def test_an_adapter_whose_files_are_damaged_or_gone_is_left_out_and_named(
    data_dir: Path, tmp_path: Path
) -> None:
    sound, damaged, gone = (register(data_dir, value) for value in (1.0, 2.0, 3.0))
    (data_dir / "adapters" / damaged / "adapter_model.safetensors").write_bytes(b"other")
    shutil.rmtree(data_dir / "adapters" / gone)
    taken = backed_up(data_dir, tmp_path / "b.tar.gz")
    assert taken.manifest.adapters == (sound,)
    assert set(taken.manifest.left_out) == {damaged, gone}
    restored(tmp_path / "b.tar.gz", tmp_path / "new")
    assert [path.name for path in (tmp_path / "new" / "adapters").iterdir()] == [sound]


def test_a_failed_backup_leaves_the_older_one_and_nothing_else(
    data_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "b.tar.gz").write_bytes(b"the older one")
    (data_dir / "whet.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StorageUnavailableError, match="is not a database"):
        backed_up(data_dir, tmp_path / "b.tar.gz")
    assert (tmp_path / "b.tar.gz").read_bytes() == b"the older one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar.gz", "data"]


def test_what_a_killed_backup_left_is_swept_by_the_next(data_dir: Path, tmp_path: Path) -> None:
    left = tmp_path / ".b.tar.gz.part"
    (left / "evaluations").mkdir(parents=True)
    (left / "archive").write_bytes(b"half")
    backed_up(data_dir, tmp_path / "b.tar.gz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar.gz", "data"]


def test_what_a_killed_backup_to_standard_output_left_is_swept_by_the_next(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: Bytes
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    files = tmp_path / "temporary"
    for owner in (ended.pid, os.getpid()):
        (files / f"{WORK}{owner}-x").mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(files))
    taken = take_to_stdout(Place(data_dir), lambda phase, done, total: None)
    sys.stdout.flush()
    assert len(capfdbinary.readouterr().out) == taken.size_bytes
    assert [path.name for path in files.iterdir()] == [f"{WORK}{os.getpid()}-x"]


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "upgrade Whet"),
        ("DROP TABLE alembic_version", "no memory of Whet"),
    ],
)
def test_a_database_that_this_whet_does_not_know_is_refused(
    data_dir: Path, tmp_path: Path, query: str, hint: str
) -> None:
    with closing(sqlite3.connect(data_dir / "whet.db")) as connection, connection:
        connection.execute(query)
    with pytest.raises(StorageUnavailableError, match=hint):
        backed_up(data_dir, tmp_path / "b.tar.gz")


def test_a_backup_of_an_older_schema_is_migrated_when_it_is_restored(tmp_path: Path) -> None:
    older_database(tmp_path / "old")
    taken = backed_up(tmp_path / "old", tmp_path / "b.tar.gz")
    assert taken.manifest.schema_version == "0007"
    back = restored(tmp_path / "b.tar.gz", tmp_path / "new")
    assert back.migrated_from == "0007"
    with closing(sqlite3.connect(tmp_path / "new" / "whet.db")) as connection:
        query = "SELECT version_num, seq FROM alembic_version, head"
        assert connection.execute(query).fetchone() == (SCHEMA_VERSION, 7)
    with closing(sqlite3.connect(tmp_path / "old" / "whet.db")) as connection:
        assert connection.execute("SELECT * FROM alembic_version").fetchone() == ("0007",)


def test_a_folder_that_is_not_empty_is_kept_and_by_force_moved_aside_whole(
    data_dir: Path, tmp_path: Path
) -> None:
    remember(data_dir, "of the backup")
    backed_up(data_dir, tmp_path / "b.tar.gz")
    remember(data_dir, "since then")
    (data_dir / "notes.txt").write_text("mine")
    data_dir.chmod(0o700)
    before = files_in(data_dir)
    with pytest.raises(CommandError, match="is not empty: --force"):
        restored(tmp_path / "b.tar.gz", data_dir)
    assert files_in(data_dir) == before
    asides = []
    for _ in range(2):
        aside = restored(tmp_path / "b.tar.gz", data_dir, force=True).moved_aside
        assert aside is not None
        asides.append(aside)
    assert files_in(asides[0]) == before
    assert asides[0] != asides[1]
    assert data_dir.stat().st_mode & 0o777 == 0o700
    assert questions_in(data_dir) == ["of the backup"]
    assert {path.name for path in tmp_path.iterdir()} == {
        "b.tar.gz",
        "data",
        *(path.name for path in asides),
    }


def test_a_link_to_a_data_folder_stays_a_link(data_dir: Path, tmp_path: Path) -> None:
    backed_up(data_dir, tmp_path / "b.tar.gz")
    (tmp_path / "link").symlink_to(data_dir)
    back = restored(tmp_path / "b.tar.gz", tmp_path / "link", force=True)
    assert back.folder == data_dir
    assert (tmp_path / "link").is_symlink()


def test_a_folder_that_another_process_uses_is_not_restored_over(
    data_dir: Path, tmp_path: Path
) -> None:
    backed_up(data_dir, tmp_path / "b.tar.gz")
    command = [sys.executable, "-c", WRITER, str(data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(StorageBusyError, match="is in use: stop the server"):
            restored(tmp_path / "b.tar.gz", data_dir, force=True)
        assert writer.poll() is None
        writer.kill()
    assert restored(tmp_path / "b.tar.gz", data_dir, force=True).moved_aside is not None


@pytest.mark.parametrize("swap", [exchange, _rename_thrice])
def test_two_folders_change_places(tmp_path: Path, swap: object) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "is").write_text(name)
    assert callable(swap)
    swap(tmp_path / "first", tmp_path / "second")
    assert [(tmp_path / n / "is").read_text() for n in ("first", "second")] == ["second", "first"]
    assert len(list(tmp_path.iterdir())) == 2


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from server.backup.place import Place
from server.backup.restoring import restore
from tests.server.backups import files_in, quiet

EVENTS = {"open", "os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.chmod", "os.scandir",
          "sqlite3.connect", "fcntl.flock", "shutil.rmtree", "ctypes.dlsym", "tempfile.mkdtemp"}
root = Path(sys.argv[1])
archive, old, data = root / "b.tar.gz", root / "old", root / "round" / "data"
seen, step, killed = set(), 1, 0
while True:
    shutil.rmtree(root / "round", ignore_errors=True)
    shutil.copytree(old, data)
    child = os.fork()
    if child == 0:
        left = step
        def count(event, arguments):
            global left
            left -= event in EVENTS
            if left == 0:
                left = -1  # the kill is an event as well
                os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(count)
        restore(archive, Place(data), True, quiet)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    asides = [files_in(path) for path in data.parent.glob("data.before-restore-*")]
    assert files_in(old) in [files_in(data), *asides], step
    seen.add(str(files_in(data)))
    if status == 0:
        break
    assert os.WTERMSIG(status) == signal.SIGKILL, step
    step, killed = step + 1, killed + 1
print(killed, len(seen), str(files_in(old)) in seen)
again = restore(archive, Place(data), True, quiet)
assert files_in(data) == eval(max(seen - {str(files_in(old))}))
"""


def test_a_restore_that_is_killed_anywhere_leaves_the_old_folder_or_the_new_one(
    data_dir: Path, tmp_path: Path
) -> None:
    full_folder(data_dir)
    backed_up(data_dir, tmp_path / "b.tar.gz")
    remember(data_dir, "since then")
    (data_dir / "tuned.json").unlink()
    shutil.rmtree(data_dir / "index", ignore_errors=True)
    data_dir.rename(tmp_path / "old")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, timeout=100
    )
    assert done.stderr == ""
    killed, states, old_was_seen = done.stdout.split()
    assert int(killed) > 20
    assert (states, old_was_seen) == ("2", "True")


def test_a_backup_is_an_archive_that_tar_reads(data_dir: Path, tmp_path: Path) -> None:
    full_folder(data_dir)
    backed_up(data_dir, tmp_path / "b.tar.gz")
    (tmp_path / "out").mkdir()
    command = ["tar", "-xzf", str(tmp_path / "b.tar.gz"), "-C", str(tmp_path / "out")]
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert (tmp_path / "out" / "tuned.json").read_bytes() == TUNED
    assert json.loads((tmp_path / "out" / "manifest.json").read_bytes())["records"] == 2


def test_how_far_it_is_is_told_within_a_file_as_well(data_dir: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    (data_dir / "tuning-trials.jsonl").write_bytes(b"x" * 5_000_000)
    take(Place(data_dir), tmp_path / "b.tar.gz", lambda *words: told.append(words))
    restore(
        tmp_path / "b.tar.gz", Place(tmp_path / "new"), False, lambda *words: told.append(words)
    )
    for phase in ("packing, MB", "unpacking, MB"):
        done = [words[1] for words in told if words[0] == phase]
        assert done == sorted(done)
        assert {1, 2, 3, 4, 5} <= set(done)
    assert {words[0] for words in told} >= {"copying, pages", "checking, MB"}

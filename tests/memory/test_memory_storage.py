"""A file that is deleted, replaced, emptied or overwritten: told truly, and nothing lost unsaid."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memory.embedding.hashing import HashingEmbedder
from memory.errors import StorageUnavailableError
from memory.index.snapshots import SnapshotFolder
from memory.memory import LongTermMemory
from memory.store.scope import EVERYONE
from memory.types import Draft
from tests.memory.older import drop_later_tables

pytestmark = pytest.mark.sqlite

Build = Callable[..., Draft]


@pytest.fixture
def other(tmp_path: Path, embedder: HashingEmbedder, draft: Build) -> Path:
    """Another memory's file, with one record."""
    opened = LongTermMemory.open(tmp_path / "other", embedder)
    opened.save(draft("theirs"))
    opened.close()
    return tmp_path / "other" / "whet.db"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mine"


@pytest.fixture
def mine(folder: Path, embedder: HashingEmbedder, draft: Build) -> Iterator[LongTermMemory]:
    opened = LongTermMemory.open(folder, embedder)
    opened.save(draft("mine"))
    opened.recall("ann", "mine", k=1)
    yield opened
    opened.close()


def kept(folder: Path, embedder: HashingEmbedder) -> set[str]:
    """What another process finds in the folder."""
    opened = LongTermMemory.open(folder, embedder)
    found = {record.id for record in opened.walk("ann")}
    opened.close()
    return found


def delete(file: Path, other: Path) -> None:
    file.unlink()


def rename(file: Path, other: Path) -> None:
    beside = file.with_name("copy.db")
    shutil.copy(other, beside)
    beside.replace(file)


def copy_over(file: Path, other: Path) -> None:
    shutil.copyfile(other, file)


def empty(file: Path, other: Path) -> None:
    file.write_bytes(b"")


def older_schema(file: Path, other: Path) -> None:
    rename(file, other)
    old = sqlite3.connect(file)
    for column in ("asked_hash", "conversation", "report", "request"):
        old.execute(f"ALTER TABLE completion DROP COLUMN {column}")
    old.execute("ALTER TABLE record DROP COLUMN request")
    drop_later_tables(old)
    old.execute("UPDATE alembic_version SET version_num = '0003'")
    old.commit()
    old.close()


@pytest.mark.parametrize("happens", [delete, rename, copy_over, empty, older_schema])
@pytest.mark.parametrize("first", ["save", "probe", "recall"])
def test_what_is_acknowledged_after_a_file_was_exchanged_is_in_the_file_that_is_there(
    happens: Callable[[Path, Path], None],
    first: str,
    mine: LongTermMemory,
    folder: Path,
    other: Path,
    embedder: HashingEmbedder,
    draft: Build,
) -> None:
    happens(folder / "whet.db", other)
    acknowledged: set[str] = set()
    if first == "probe":
        assert mine.storage_problem() is None
    elif first == "recall":
        try:
            mine.recall("ann", "mine", k=5)
        except StorageUnavailableError as error:
            assert "read-only" not in str(error)  # noqa: PT017
    for number in range(5):
        acknowledged.add(mine.save(draft(f"new {number}")).record.id)
    assert acknowledged <= kept(folder, embedder)
    assert mine.storage_problem() is None
    assert mine.verify("ann").ok
    found = {neighbour.record.question for neighbour in mine.recall("ann", "new 3", k=50)}
    assert ("theirs" in found) == (happens in (rename, copy_over, older_schema))
    assert "mine" not in found


def garbage(file: Path) -> None:
    file.write_bytes(b"garbage" * 9_000)


def garbage_behind_the_header(file: Path) -> None:
    """As a tool that writes over a part of the file: SQLite itself trusts its cache then."""
    size = file.stat().st_size
    with file.open("r+b") as stream:
        stream.seek(4_096)
        stream.write(b"\xa5" * (size - 4_096))


@pytest.mark.parametrize("happens", [garbage, garbage_behind_the_header])
def test_a_file_that_was_written_over_acknowledges_nothing_until_a_backup_is_there(
    happens: Callable[[Path], None],
    mine: LongTermMemory,
    folder: Path,
    other: Path,
    embedder: HashingEmbedder,
    draft: Build,
) -> None:
    happens(folder / "whet.db")
    for number in range(3):
        with pytest.raises(StorageUnavailableError, match="restore a backup"):
            mine.save(draft(f"new {number}"))
    assert "restore a backup" in str(mine.storage_problem())
    copy_over(folder / "whet.db", other)
    fresh = mine.save(draft("after")).record.id
    assert fresh in kept(folder, embedder)
    assert mine.storage_problem() is None


def test_a_file_exchanged_during_a_commit_is_not_acknowledged(
    mine: LongTermMemory, folder: Path, other: Path, embedder: HashingEmbedder, draft: Build
) -> None:
    database = mine._database

    def write() -> None:
        with database.writing(EVERYONE) as connection:
            connection.exec_driver_sql("INSERT INTO head VALUES ('bob', 1)")
            rename(folder / "whet.db", other)

    with pytest.raises(StorageUnavailableError, match=r"replaced|read-only"):
        write()
    assert mine.save(draft("after")).record.id in kept(folder, embedder)


def test_a_folder_that_is_gone_is_not_made_anew(
    mine: LongTermMemory, folder: Path, draft: Build
) -> None:
    shutil.move(folder, folder.with_name("away"))
    folder.mkdir()
    with pytest.raises(StorageUnavailableError, match="gone with its folder"):
        mine.save(draft("new"))
    assert list(folder.iterdir()) == []
    folder.rmdir()
    shutil.move(folder.with_name("away"), folder)
    assert mine.save(draft("new")).created
    assert mine.storage_problem() is None


def test_a_server_started_on_a_read_only_disk_saves_when_it_can_be_written(
    tmp_path: Path, embedder: HashingEmbedder, draft: Build
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a tmpfs is not permitted here")
    try:
        LongTermMemory.open(disk, embedder).close()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        memory = LongTermMemory.open(disk, embedder)
        assert memory.recall("ann", "q", k=1) == []
        assert "read-only" in str(memory.storage_problem())
        with pytest.raises(StorageUnavailableError, match="read-only"):
            memory.save(draft("first"))
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        assert memory.save(draft("first")).created
        assert memory.storage_problem() is None
        memory.close()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize(
    "line", [b"[" * 100_000, b"[]", b"7", b'{"tenant": "ann", "count": 1e999}']
)
def test_a_snapshot_that_is_anything_at_all_is_set_aside(tmp_path: Path, line: bytes) -> None:
    snapshots = SnapshotFolder(tmp_path, "hashing", 4)
    snapshots.path("ann").write_bytes(line + b"\n" + b"body")
    assert snapshots.read("ann") is None
    assert snapshots.path("ann").with_suffix(".bad").exists()


def test_a_snapshot_as_deep_as_a_parser_can_stand_is_set_aside(tmp_path: Path) -> None:
    snapshots = SnapshotFolder(tmp_path, "hashing", 4)
    snapshots.path("ann").write_bytes(b"[" * 4_000 + b"\n")
    assert snapshots.read("ann") is None

"""One form of backup for both databases: taken from either, restored into either."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtests.postgres import Cluster
from memory.embedding.hashing import HashingEmbedder
from memory.errors import StorageBusyError
from memory.history.files import NewFile
from memory.memory import LongTermMemory
from server.backup.manifest import DATABASE
from server.backup.restoring import BEFORE
from server.terminal import CommandError
from tests.server.backups import backed_up, questions_in, register, remember, restored


@pytest.fixture
def url(postgres: Cluster, migrated_url: str) -> Iterator[str]:
    made = postgres.database(migrated_url)
    yield made
    postgres.drop(made)


@pytest.fixture
def other(postgres: Cluster) -> Iterator[str]:
    """A database that nobody has used yet."""
    made = postgres.database()
    yield made
    postgres.drop(made)


@pytest.fixture
def taken(url: str, tmp_path: Path) -> Path:
    """A backup of a memory in PostgreSQL, with something that JSON and NUL are in."""
    folder, file = tmp_path / "first", tmp_path / "b.tar.gz"
    remember(folder, "one?", "two\x00?", url=url)
    register(folder, 1.0, url)
    memory = LongTermMemory.open(folder, HashingEmbedder(64), database_url=url)
    memory.files.create(NewFile(tenant="ann", name="f", purpose="batch"), [b"\x00\xff" * 99])
    memory.close()
    assert backed_up(folder, file, url).manifest.records == 2
    return file


def holdings(folder: Path, url: str | None) -> list[object]:
    memory = LongTermMemory.open(folder, HashingEmbedder(64), database_url=url)
    try:
        files = memory.files.list("ann")
        (version,) = memory.adapters.list("ann")
        assert memory.adapters.files_ok(version)
        return [
            *memory.walk("ann"),
            version.model_copy(update={"path": ""}),
            *files,
            *(b"".join(memory.files.content("ann", each.id)) for each in files),
            memory.adapters.alias("ann", "candidate") is not None,
        ]
    finally:
        memory.close()


def test_a_backup_of_postgresql_is_restored_as_a_folder_and_into_another_server(
    taken: Path, url: str, other: str, tmp_path: Path
) -> None:
    held = holdings(tmp_path / "first", url)
    restored(taken, tmp_path / "file")
    assert (tmp_path / "file" / DATABASE).exists()
    assert holdings(tmp_path / "file", None) == held
    restored(taken, tmp_path / "second", url=other)
    assert not (tmp_path / "second" / DATABASE).exists()
    assert holdings(tmp_path / "second", other) == held
    remember(tmp_path / "second", "three?", url=other)
    assert questions_in(tmp_path / "second", other) == ["one?", "three?", "two\x00?"]


def test_a_folder_with_a_file_moves_to_postgresql_by_a_backup(other: str, tmp_path: Path) -> None:
    remember(tmp_path / "first", "one?", "two?")
    backed_up(tmp_path / "first", tmp_path / "b.tar.gz")
    restored(tmp_path / "b.tar.gz", tmp_path / "second", url=other)
    remember(tmp_path / "second", "three?", url=other)
    assert questions_in(tmp_path / "second", other) == ["one?", "three?", "two?"]


def test_what_a_database_holds_is_replaced_with_force_only_and_kept_as_a_file(
    taken: Path, url: str, tmp_path: Path
) -> None:
    remember(tmp_path / "second", "since?", url=url)
    with pytest.raises(CommandError, match="is not empty"):
        restored(taken, tmp_path / "third", url=url)
    assert "since?" in questions_in(tmp_path / "second", url)
    done = restored(taken, tmp_path / "third", force=True, url=url)
    assert questions_in(tmp_path / "third", url) == ["one?", "two\x00?"]
    assert done.moved_aside is not None
    (done.moved_aside / BEFORE).rename(done.moved_aside / DATABASE)
    assert "since?" in questions_in(done.moved_aside)


def test_a_database_in_use_is_not_restored_into(taken: Path, url: str, tmp_path: Path) -> None:
    memory = LongTermMemory.open(tmp_path / "a", HashingEmbedder(64), database_url=url)
    with pytest.raises(StorageBusyError, match="is in use"):
        restored(taken, tmp_path / "third", force=True, url=url)
    memory.close()
    assert questions_in(tmp_path / "first", url) == ["one?", "two\x00?"]

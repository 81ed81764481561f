"""Full, read-only and vanished storage: one kind of error, and recovery without a restart."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event

from memory.embedding.hashing import HashingEmbedder
from memory.errors import StorageUnavailableError
from memory.memory import LongTermMemory
from memory.types import Completion, Draft

pytestmark = pytest.mark.sqlite

Build = Callable[..., Draft]


def fill(memory: LongTermMemory, draft: Build) -> list[str]:
    """Save until the disk is full; return what was acknowledged."""
    ids: list[str] = []
    for n in range(2_000):
        try:
            saved = memory.save(draft(f"question {n}", rationale="because " * 500))
        except StorageUnavailableError as error:
            assert "free some space" in str(error)  # noqa: PT017
            return ids
        ids.append(saved.record.id)
    raise AssertionError("the disk never filled up")


def test_a_full_database_refuses_saves_answers_recalls_and_recovers(
    memory: LongTermMemory, draft: Build
) -> None:
    memory.save(draft("first"))
    pool = memory._database._engine

    def limit(connection: object, record: object, proxy: object) -> None:
        connection.execute("PRAGMA max_page_count=60")  # type: ignore[attr-defined]

    event.listen(pool, "checkout", limit)
    acknowledged = fill(memory, draft)
    assert memory.recall("ann", "first", k=1)[0].similarity > 0.99
    assert {record.id for record in memory.walk("ann")} >= set(acknowledged)
    event.remove(pool, "checkout", limit)
    pool.dispose()
    assert memory.save(draft("after")).created
    assert memory.verify("ann").ok


def test_a_full_disk_loses_nothing_acknowledged_and_saving_resumes_by_itself(
    small_disk: Path,
    embedder: HashingEmbedder,
    draft: Build,
    completion: Callable[..., Completion],
    caplog: pytest.LogCaptureFixture,
) -> None:
    memory = LongTermMemory.open(small_disk, embedder)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 300_000)
    acknowledged = fill(memory, draft)
    for n in range(3):
        memory.completions.append(completion(f"c{n}").model_copy(update={"text": "x" * 100_000}))
        assert memory.completions.flush()
    assert len([r for r in caplog.records if "completions" in r.message]) == 1
    assert memory.recall("ann", "question 0", k=1)
    assert len(memory.list("ann", limit=1000)) == len(acknowledged)
    ballast.unlink()
    assert memory.writable()
    assert memory.save(draft("after")).created
    assert memory.verify("ann").ok
    memory.close()


def test_a_read_only_disk_is_named_and_what_is_known_can_still_be_recalled(
    small_disk: Path, embedder: HashingEmbedder, draft: Build
) -> None:
    memory = LongTermMemory.open(small_disk, embedder)
    memory.save(draft("first"))
    memory._database.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StorageUnavailableError):
        memory.save(draft("second"))
    assert not memory.writable()
    assert memory.recall("ann", "first", k=1)
    memory._database.close()
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert memory.storage_problem() is None
    assert memory.save(draft("second")).created
    memory.close()


def test_damage_is_reported_as_such(
    tmp_path: Path, embedder: HashingEmbedder, draft: Build
) -> None:
    memory = LongTermMemory.open(tmp_path, embedder)
    memory.save_many([draft(f"question {n}") for n in range(600)])
    memory.close()
    with (tmp_path / "whet.db").open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(size // 2)  # past the schema
        file.write(b"\xa5" * (size - size // 2))
    damaged = LongTermMemory.open(tmp_path, embedder)
    with pytest.raises(StorageUnavailableError, match="restore a backup"):
        damaged.recall("ann", "question 3", k=3)
    damaged.close()

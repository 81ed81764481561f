"""Processes that are killed, and processes that write side by side."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from memory.embedding.hashing import HashingEmbedder
from memory.memory import LongTermMemory
from memory.store.database import open_database
from memory.store.scope import EVERYONE
from memory.types import Draft

WRITER = """
import sys
from pathlib import Path
from memory.embedding.hashing import HashingEmbedder
from memory.memory import LongTermMemory
from memory.types import Draft, Message, Tier

folder, name, count, url = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4] or None
memory = LongTermMemory.open(folder, HashingEmbedder(64), database_url=url)
for n in range(count):
    question = Message(role="user", content=f"question {n} of {name}")
    saved = memory.save(Draft(tenant="ann", messages=(question,), answer=str(n), rationale="r",
                              tier=Tier.FEEDBACK))
    print(saved.record.id, flush=True)
    if n % 7 == 3:
        memory.forget("ann", saved.record.id)
    memory.recall("ann", "question", k=3)
memory.close()
"""


Start = Callable[[str, int], subprocess.Popen[str]]


@pytest.fixture
def start_writer(tmp_path: Path, dialect: str, request: pytest.FixtureRequest) -> Start:
    """Return what starts a process that writes to the folder's database."""
    is_file = dialect == "sqlite"
    url = "" if is_file else request.getfixturevalue("on_postgres")(tmp_path)

    def start(name: str, count: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", WRITER, str(tmp_path), name, str(count), url]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    return start


def test_kill_9_loses_no_acknowledged_row_and_the_index_equals_the_database(
    tmp_path: Path, embedder: HashingEmbedder, dialect: str, start_writer: Start
) -> None:
    acknowledged: list[str] = []
    for round_, rows in enumerate((3, 10, 18)):
        with start_writer(f"round {round_}", 10_000) as writer:
            assert writer.stdout is not None
            acknowledged += [writer.stdout.readline().strip() for _ in range(rows)]
            writer.kill()
            acknowledged += writer.stdout.read().split()
    memory = LongTermMemory.open(tmp_path, embedder)
    assert all(memory.get("ann", record_id).id == record_id for record_id in acknowledged)
    assert memory.verify("ann").ok
    assert memory.rebuild("ann") == memory.stats("ann")["states"]["active"]
    assert memory.verify("ann").ok
    if dialect == "sqlite":
        with memory._database.reading(EVERYONE) as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    memory.close()


def test_two_processes_write_at_once_and_a_third_sees_it_all(
    tmp_path: Path, embedder: HashingEmbedder, draft: Callable[..., Draft], start_writer: Start
) -> None:
    memory = LongTermMemory.open(tmp_path, embedder)
    writers = [start_writer(name, 14) for name in ("one", "two")]
    for n in range(14):
        memory.save(draft(f"question {n} of three"))
        assert memory.recall("ann", f"question {n} of three", k=1)[0].similarity > 0.99
    outputs = [writer.communicate(timeout=120)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert [len(ids) for ids in outputs] == [14, 14]
    assert memory.stats("ann")["records"] == 42 - 4
    assert memory.verify("ann").ok
    with memory._database.reading(EVERYONE) as connection:
        rows = connection.exec_driver_sql("SELECT seq FROM event ORDER BY seq").scalars().all()
    assert list(rows) == list(range(1, 47))
    memory.close()


def test_a_write_waits_for_another_process_instead_of_failing(
    tmp_path: Path, embedder: HashingEmbedder, dialect: str, start_writer: Start
) -> None:
    memory = LongTermMemory.open(tmp_path, embedder)
    other = open_database(tmp_path)
    with other.writing(EVERYONE) as connection:
        writer = start_writer("late", 1)
        connection.exec_driver_sql("SELECT 1")
    assert writer.communicate(timeout=60)[0].startswith("rec_")
    assert memory.stats("ann")["records"] == 1
    other.close()
    memory.close()


SNAPSHOTS = """
import sys, time
from pathlib import Path
from memory.embedding.hashing import HashingEmbedder
from memory.memory import LongTermMemory
from memory.types import Draft, Message, Tier

memory = LongTermMemory.open(Path(sys.argv[1]), HashingEmbedder(64))
cache, n = memory._indexes, int(sys.argv[2])
cache._seal_at = 60
while True:
    drafts = [Draft(tenant="ann", messages=(Message(role="user", content=f"question {i}"),),
                    answer=str(i), rationale="r", tier=Tier.FEEDBACK) for i in range(n, n + 30)]
    memory.save_many(drafts)
    memory.recall("ann", "question", k=3)
    cache._save("ann", cache._view("ann"))
    n += 30
    print(n, flush=True)
"""


@pytest.mark.sqlite
def test_kill_9_while_a_sealed_index_is_built_and_written_leaves_one_that_equals_the_database(
    tmp_path: Path, embedder: HashingEmbedder
) -> None:
    stored = 0
    for round_, lines in enumerate((3, 5, 4)):
        command = [sys.executable, "-c", SNAPSHOTS, str(tmp_path), str(stored)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(lines):
                stored = int(writer.stdout.readline())
            writer.kill()
            stored = max([stored, *map(int, writer.stdout.read().split())])
        memory = LongTermMemory.open(tmp_path, embedder)
        memory._indexes._seal_at = 60
        assert memory.recall("ann", f"question {stored - 1}", k=1)[0].similarity > 0.99, round_
        report = memory.verify("ann")
        assert report.ok
        assert report.records >= stored
        stored = report.records
        memory.close()
        assert not list((tmp_path / "index").glob("*.bad")), "a kill damages no snapshot"

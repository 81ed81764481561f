"""Recall, its guard, and an index that follows whoever writes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection, text, update

from memory.embedding.hashing import HashingEmbedder
from memory.errors import StorageUnavailableError
from memory.memory import LongTermMemory
from memory.store.schema import embedding, event
from memory.store.scope import Scope
from memory.types import Draft, State

Build = Callable[..., Draft]


def snapshot_of(folder: Path) -> Path:
    return next((folder / "index").glob("*.vectors"))


def test_recall_returns_the_most_similar_first_with_its_vector(
    memory: LongTermMemory, draft: Build
) -> None:
    questions = ["what is two and two?", "what is two and three?", "name a river"]
    memory.save_many([draft(question) for question in questions])
    found = memory.recall("ann", questions[0], k=2)
    assert [n.record.question for n in found] == questions[:2]
    assert found[0].similarity == pytest.approx(1.0)
    assert found[0].embedding.shape == (64,)


def test_recall_of_an_unknown_tenant_or_of_nothing_is_empty(memory: LongTermMemory) -> None:
    assert memory.recall("nobody", "q", k=3) == []
    assert memory.recall("ann", "q", k=0) == []


def test_a_rare_task_is_found_among_many_of_another(memory: LongTermMemory, draft: Build) -> None:
    memory.save_many([draft(f"what is {n} and one?", task="sums") for n in range(60)])
    memory.save(draft("name a river", task="rivers"))
    found = memory.recall("ann", "what is 7 and one?", k=3, task="rivers")
    assert [n.record.task for n in found] == ["rivers"]


def test_what_leaves_the_active_state_leaves_recall(memory: LongTermMemory, draft: Build) -> None:
    record = memory.save(draft("q")).record
    for state in (State.QUARANTINED, State.PENDING, State.EXPIRED):
        memory.set_state("ann", record.id, state, "test")
        assert memory.recall("ann", "q", k=1) == []
        memory.set_state("ann", record.id, State.ACTIVE, "test")
        assert len(memory.recall("ann", "q", k=1)) == 1


def test_an_index_full_of_foreign_and_stale_ids_shows_nothing_it_should_not(
    memory: LongTermMemory, draft: Build
) -> None:
    mine = memory.save(draft("mine")).record
    memory.save(draft("theirs", tenant="bob"))
    memory.save(draft("withdrawn"))
    memory.recall("ann", "mine", k=1)
    withdrawn = memory.list("ann", q="withdrawn")[0]
    memory.set_state("ann", withdrawn.id, State.QUARANTINED, "test")
    memory.recall("ann", "mine", k=1)
    index = memory._indexes._view("ann").index
    index.add(np.array([2, 3, 99]), memory.embedder.embed(["theirs", "withdrawn", "ghost"]))
    for question in ("theirs", "withdrawn", "ghost", "mine"):
        assert [n.record.id for n in memory.recall("ann", question, k=5)] == [mine.id]
    assert memory.verify("ann").extra == (2, 3, 99)
    assert memory.rebuild("ann") == 1
    assert memory.verify("ann").ok


def test_what_another_process_writes_is_recalled(
    tmp_path: Path, embedder: HashingEmbedder, draft: Build
) -> None:
    here, there = (LongTermMemory.open(tmp_path, embedder) for _ in range(2))
    assert here.recall("ann", "q", k=1) == []
    record = there.save(draft("q")).record
    assert here.recall("ann", "q", k=1)[0].record.id == record.id
    there.forget("ann", record.id)
    assert here.recall("ann", "q", k=1) == []
    assert here.verify("ann").ok
    here.close()
    there.close()


def test_a_restart_finds_everything(
    tmp_path: Path, embedder: HashingEmbedder, draft: Build
) -> None:
    memory = LongTermMemory.open(tmp_path, embedder)
    memory.save_many([draft(f"question {n}") for n in range(20)])
    before = memory.recall("ann", "question 7", k=5)
    memory.close()
    again = LongTermMemory.open(tmp_path, embedder)
    after = again.recall("ann", "question 7", k=5)
    assert [n.record for n in after] == [n.record for n in before]
    assert again.verify("ann").ok
    again.close()


@pytest.mark.parametrize("damage", ["deleted", "truncated", "flipped", "foreign", "older"])
def test_a_lost_or_damaged_snapshot_loses_nothing(
    tmp_path: Path, embedder: HashingEmbedder, draft: Build, damage: str
) -> None:
    memory = LongTermMemory.open(tmp_path, embedder)
    memory.save(draft("first"))
    memory.recall("ann", "first", k=1)
    memory.close()
    older = snapshot_of(tmp_path).read_bytes()
    memory = LongTermMemory.open(tmp_path, embedder)
    memory.save(draft("second"))
    memory.recall("ann", "first", k=1)
    memory.close()
    file = snapshot_of(tmp_path)
    whole = file.read_bytes()
    bodies = {
        "truncated": whole[:-9],
        "flipped": whole[:-1] + bytes([whole[-1] ^ 1]),
        "foreign": whole.replace(b'"ann"', b'"bob"'),
        "older": older,
    }
    file.write_bytes(bodies[damage]) if damage in bodies else file.unlink()
    memory = LongTermMemory.open(tmp_path, embedder)
    assert len(memory.recall("ann", "first", k=5)) == 2
    assert memory.verify("ann").ok
    assert file.with_suffix(".bad").exists() == (damage not in ("deleted", "older"))
    memory.close()


def test_a_snapshot_of_another_history_with_the_same_numbers_is_not_believed(
    tmp_path: Path, embedder: HashingEmbedder, draft: Build
) -> None:
    for folder, question in (("a", "theirs"), ("b", "ours")):
        memory = LongTermMemory.open(tmp_path / folder, embedder)
        memory.save(draft(question))
        memory.recall("ann", question, k=1)
        memory.close()
    snapshot_of(tmp_path / "b").write_bytes(snapshot_of(tmp_path / "a").read_bytes())
    memory = LongTermMemory.open(tmp_path / "b", embedder)
    assert memory.recall("ann", "ours", k=1)[0].similarity == pytest.approx(1.0)
    assert memory.verify("ann").ok
    memory.close()


def test_a_history_as_long_as_the_one_before_is_told_from_it(
    memory: LongTermMemory, draft: Build
) -> None:
    """As after a restored backup: the number of the newest event is the same, its mark is not."""
    memory.save(draft("theirs"))
    assert memory.recall("ann", "theirs", k=1)[0].similarity == pytest.approx(1.0)
    (vector,) = memory.embedder.embed(["ours"])
    with memory._database.writing("ann") as connection:
        connection.execute(update(event).values(at=event.c.at + 1))
        connection.execute(update(embedding).values(vector=vector.astype("<f4").tobytes()))
    assert memory.recall("ann", "ours", k=1)[0].similarity == pytest.approx(1.0)
    assert memory.verify("ann").ok


def test_a_search_reads_in_one_transaction_unless_something_was_written(
    memory: LongTermMemory, draft: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.save_many([draft(f"question {n}") for n in range(50)])
    memory.recall("ann", "question 7", k=5)
    begun, reading = list[object](), memory._database.reading

    def counted(of: Scope) -> AbstractContextManager[Connection]:
        begun.append(of)
        return reading(of)

    monkeypatch.setattr(memory._database, "reading", counted)
    assert len(memory.recall("ann", "question 7", k=5)) == 5
    assert begun == ["ann"]
    memory.save(draft("question 50"))
    assert memory.recall("ann", "question 50", k=1)[0].similarity == pytest.approx(1.0)
    begun.clear()
    assert len(memory.recall("ann", "question 50", k=51)) == 51
    assert begun == ["ann"]


def test_a_search_of_a_table_that_is_gone_fails_as_storage_does(
    memory: LongTermMemory,
    draft: Build,
    tmp_path: Path,
    raw: Callable[[Path], AbstractContextManager[Connection]],
) -> None:
    memory.save(draft("q"))
    assert memory.recall("ann", "q", k=1)
    with raw(tmp_path) as connection:
        connection.execute(text("ALTER TABLE word RENAME TO word_elsewhere"))
    with pytest.raises(StorageUnavailableError):
        memory.recall("ann", "q", k=1)
    with raw(tmp_path) as connection:
        connection.execute(text("ALTER TABLE word_elsewhere RENAME TO word"))
    assert memory.recall("ann", "q", k=1)


def test_another_embedder_finds_the_records_of_the_first(tmp_path: Path, draft: Build) -> None:
    memory = LongTermMemory.open(tmp_path, HashingEmbedder(64))
    memory.save_many([draft(f"question {n}") for n in range(40)])
    memory.close()
    memory = LongTermMemory.open(tmp_path, HashingEmbedder(128))
    found = memory.recall("ann", "question 7", k=1)
    assert found[0].embedding.shape == (128,)
    assert memory.verify("ann").ok
    memory.close()


class Slow(HashingEmbedder):
    """Holds every batch but the first few until it is let go; says when one is held."""

    def __init__(self, free: int) -> None:
        super().__init__(128)
        self.free, self.held, self.let_go = free, threading.Event(), threading.Event()

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        if len(texts) > 1:
            self.free -= 1
            if self.free < 0:
                self.held.set()
                assert self.let_go.wait(60)
        return super().embed(texts)


def test_saving_recalling_and_forgetting_go_on_while_another_embedder_catches_up(
    tmp_path: Path, draft: Build
) -> None:
    memory = LongTermMemory.open(tmp_path, HashingEmbedder(64))
    old = memory.save_many([draft(f"question {n}") for n in range(100)])
    memory.close()
    slow = Slow(free=1)
    memory = LongTermMemory.open(tmp_path, slow)
    assert memory.recall("ann", "question 7", k=1)[0].similarity == pytest.approx(1.0)
    assert memory.lacking("ann") == 100 - 32, "one batch is embedded at once"
    assert slow.held.wait(60), "the next one in the background"
    fresh = memory.save(draft("a fresh one")).record
    assert memory.recall("ann", "a fresh one", k=1)[0].record.id == fresh.id
    memory.forget("ann", old[40].record.id)  # in the batch that is being embedded
    memory.forget("ann", old[90].record.id)
    assert memory.storage_problem() is None
    slow.let_go.set()
    assert memory.verify("ann").ok
    assert memory.lacking("ann") == 0
    assert len(memory.recall("ann", "question 50", k=200)) == 99
    memory.close()
    assert LongTermMemory.open(tmp_path, slow).verify("ann").ok


def test_a_snapshot_is_not_written_of_an_index_that_lacks_records(
    tmp_path: Path, draft: Build
) -> None:
    memory = LongTermMemory.open(tmp_path, HashingEmbedder(64))
    memory.save_many([draft(f"question {n}") for n in range(100)])
    memory.close()
    slow = Slow(free=1)
    memory = LongTermMemory.open(tmp_path, slow)
    memory.recall("ann", "question 7", k=1)
    assert slow.held.wait(60)
    slow.let_go.set()
    memory._indexes._backfill.close()
    assert 0 < memory.lacking("ann") < 100
    memory.close()
    again = LongTermMemory.open(tmp_path, HashingEmbedder(128))
    report = again.verify("ann")
    assert report.ok
    assert report.records == 100
    again.close()


def test_only_the_tenants_used_last_stay_in_memory(memory: LongTermMemory, draft: Build) -> None:
    memory._indexes._max_tenants = 2
    for tenant in ("a", "b", "c", "a"):
        memory.save(draft(f"q of {tenant}", tenant=tenant))
        assert memory.recall(tenant, "q", k=5)
    assert list(memory._indexes._views) == ["c", "a"]
    assert len(memory.recall("b", "q of b", k=5)) == 1


def test_a_long_tail_is_read_anew(
    memory: LongTermMemory, draft: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory.index.cache.LONG_TAIL", 3)
    memory.save(draft("first"))
    memory.recall("ann", "first", k=1)
    memory.save_many([draft(f"q{n}") for n in range(10)])
    assert len(memory.recall("ann", "q1", k=20)) == 11
    assert memory.verify("ann").ok


def test_forgetting_removes_every_file_that_holds_the_tenants_vectors(
    memory: LongTermMemory, draft: Build, tmp_path: Path
) -> None:
    record = memory.save(draft("q")).record
    name = memory._indexes._snapshots.path("ann").name
    folder = tmp_path / "index"
    folder.mkdir()
    for file in (name, f".{name}.cut-short", f"{Path(name).stem}.bad", "another.vectors"):
        (folder / file).write_bytes(b"vectors")
    memory.forget("ann", record.id)
    assert [path.name for path in folder.iterdir()] == ["another.vectors"]

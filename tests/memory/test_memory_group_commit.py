"""Saves from many threads share commits and keep their own results."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from memory.errors import StorageUnavailableError
from memory.memory import LongTermMemory
from memory.newcomers import Entry
from memory.store.group_commit import GroupCommit
from memory.types import Draft, Saved

Build = Callable[..., Draft]


class SlowStore:
    """Holds the first commit until told, then answers from the real store."""

    def __init__(self, save_many: Callable[[Sequence[Entry]], list[Saved]]) -> None:
        self.save_many = save_many
        self.started, self.go = threading.Event(), threading.Event()
        self.groups: list[int] = []
        self.error: BaseException | None = None

    def __call__(self, entries: Sequence[Entry]) -> list[Saved]:
        self.groups.append(len(entries))
        self.started.set()
        assert self.go.wait(20)
        error, self.error = self.error, None
        if error is not None:
            raise error
        return self.save_many(entries)


def save_together(memory: LongTermMemory, draft: Build, store: SlowStore) -> list[object]:
    """Save q0, then q1…q9 while q0 commits; return each result or error."""
    saver = GroupCommit(store)
    entries = [Entry(draft(f"q{n}"), np.eye(64, dtype=np.float32)[n]) for n in range(10)]
    with ThreadPoolExecutor(10) as pool:
        futures = [pool.submit(saver.save, entries[0])]
        assert store.started.wait(20)
        futures += [pool.submit(saver.save, entry) for entry in entries[1:]]
        while len(saver._waiting) < 9:
            threading.Event().wait(0.005)
        store.go.set()
        return [future.exception() or future.result() for future in futures]


def test_what_waits_for_a_commit_shares_the_next(memory: LongTermMemory, draft: Build) -> None:
    store = SlowStore(memory._records.save_many)
    results = save_together(memory, draft, store)
    assert store.groups == [1, 9]
    questions = [r.record.question for r in results if isinstance(r, Saved)]
    assert questions == [f"q{n}" for n in range(10)]


def test_a_failed_commit_fails_exactly_those_it_held(memory: LongTermMemory, draft: Build) -> None:
    store = SlowStore(memory._records.save_many)
    store.error = StorageUnavailableError("the disk is full")
    results = save_together(memory, draft, store)
    assert isinstance(results[0], StorageUnavailableError)
    assert all(isinstance(result, Saved) for result in results[1:])
    assert memory.stats("ann")["records"] == 9


def test_an_entry_whose_leader_was_cut_short_is_saved_by_its_own_thread(
    memory: LongTermMemory, draft: Build
) -> None:
    def cut_short(entries: Sequence[Entry]) -> list[Saved]:
        if len(entries) > 1:
            raise KeyError
        return memory._records.save_many(entries)

    results = save_together(memory, draft, SlowStore(cut_short))
    assert sum(isinstance(result, KeyError) for result in results) == 1
    assert memory.stats("ann")["records"] == 9


def test_the_facade_saves_from_many_threads(memory: LongTermMemory, draft: Build) -> None:
    with ThreadPoolExecutor(8) as pool:
        saved = list(pool.map(memory.save, [draft(f"question {n}") for n in range(40)]))
    assert len({one.record.id for one in saved}) == 40
    assert memory.verify("ann").ok


def test_evidence_of_any_shape_is_stored_and_compared_as_stored(
    memory: LongTermMemory, draft: Build
) -> None:
    memory.save(draft("q", evidence={"votes": (1, 2), "path": object}))
    first = memory.save(draft("q", evidence={"votes": (3,)}))
    assert memory.save(draft("q", evidence={"votes": (3,)})).record == first.record


@pytest.mark.sqlite
def test_a_write_ahead_log_keeps_nothing_that_was_erased(
    memory: LongTermMemory, draft: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory._database.close()
    monkeypatch.setattr("memory.store.sqlite.WAL_SAFE_SINCE", (3, 0, 0))
    record = memory.save(draft("the kestrel flies")).record
    log = memory.data_dir / "whet.db-wal"
    assert b"kestrel" in log.read_bytes()
    memory.forget("ann", record.id)
    assert log.read_bytes() == b""
    assert b"kestrel" not in (memory.data_dir / "whet.db").read_bytes()


def test_what_waits_of_an_erased_question_is_not_stored(
    memory: LongTermMemory, draft: Build
) -> None:
    erased = memory.save(draft("Q5?", "5")).record
    store = SlowStore(memory._records.save_many)
    memory._saver = memory.forgetting._saver = GroupCommit(store)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(memory.save, draft("first"))
        assert store.started.wait(20)
        again, other = (pool.submit(memory.save, draft(q, "6")) for q in ("q5?", "q6?"))
        while len(memory._saver._waiting) < 2:
            threading.Event().wait(0.005)
        memory.forget("ann", erased.id)
        store.go.set()
        assert first.result().created
        assert other.result().created
        with pytest.raises(StorageUnavailableError, match="erased meanwhile"):
            again.result()
    assert {record.question for record in memory.walk("ann")} == {"first", "q6?"}

"""Notes on tries that failed: kept for a while, a few of a task, and each tenant's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from memory.embedding.embedder import Embedder
from memory.history.notes import LASTS_S, MOST_CHARS, MOST_TASKS, NoteStore
from memory.memory import LongTermMemory
from memory.types import Draft, Message, Tier

ASKED = "What is 50 % of 6?"


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_the_latest_notes_of_a_task_are_kept(memory: LongTermMemory) -> None:
    memory.notes.add("ann", "sums", ASKED, ["one", "two"])
    memory.notes.add("ann", "sums", ASKED, ["three", "four"])
    memory.notes.add("ann", "words", ASKED, [])
    assert memory.notes.of("ann", "sums") == ("two", "three", "four")
    assert memory.notes.of("ann", "words") == ()


def test_notes_are_there_after_a_restart(data_dir: Path, embedder: Embedder) -> None:
    for _ in range(2):
        opened = LongTermMemory.open(data_dir, embedder)
        opened.notes.add("ann", "sums", ASKED, ["carry"])
        opened.close()
    opened = LongTermMemory.open(data_dir, embedder)
    assert opened.notes.of("ann", "sums") == ("carry", "carry")
    opened.close()


def test_notes_are_their_tenants_alone(memory: LongTermMemory) -> None:
    memory.notes.add("ann", "sums", ASKED, ["of ann"])
    memory.notes.add("bob", "sums", ASKED, ["of bob"])
    assert memory.notes.of("ann", "sums") == ("of ann",)
    assert memory.notes.of("eve", "sums") == ()


def test_old_notes_are_not_read_and_then_gone(memory: LongTermMemory) -> None:
    clock = Clock()
    notes = NoteStore(memory._database, clock)
    notes.add("ann", "sums", ASKED, ["old"])
    clock.now += LASTS_S / 2
    notes.add("ann", "sums", ASKED, ["new"])
    clock.now += LASTS_S / 2
    assert notes.of("ann", "sums") == ("new",)
    assert [trace.table for trace in memory.traces([b"old"])] == ["note"]
    notes.drop_expired()
    assert [*memory.traces([b"old"])] == []
    assert notes.of("ann", "sums") == ("new",)


def test_a_tenant_has_notes_on_its_latest_tasks_alone(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_TASKS > 3
    monkeypatch.setattr("memory.history.notes.MOST_TASKS", 2)
    for task in ("a", "b", "a", "c"):
        memory.notes.add("ann", task, ASKED, ["x"])
    assert [len(memory.notes.of("ann", task)) for task in "abc"] == [2, 0, 1]


def test_a_note_is_bounded_and_can_be_stored(memory: LongTermMemory) -> None:
    memory.notes.add("ann", "sums", ASKED, ["\ud800" + "x" * 2 * MOST_CHARS])
    (kept,) = memory.notes.of("ann", "sums")
    assert len(kept) == MOST_CHARS
    assert kept.startswith("?x")


def test_an_erasure_takes_the_notes_on_its_question_and_those_that_quote_it(
    memory: LongTermMemory,
) -> None:
    messages = (Message(role="user", content=ASKED),)
    draft = Draft(tenant="ann", messages=messages, answer="3", rationale="3", tier=Tier.FEEDBACK)
    record = memory.save(draft).record
    memory.notes.add("ann", "sums", f"  {ASKED.upper()}", ["about it, spelled in another way"])
    memory.notes.add("ann", "sums", "Another", [f"quotes {ASKED}", "50 of 6 is no quotation"])
    memory.notes.add("bob", "sums", ASKED, [ASKED])
    memory.forget("ann", record.id)
    assert memory.notes.of("ann", "sums") == ("50 of 6 is no quotation",)
    assert memory.notes.of("bob", "sums") == (ASKED,)

"""A database of schema 0005 comes over: equal answers are one, and spelling divides no more."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from memory.hashing import HashingEmbedder
from memory.memory import LongTermMemory
from memory.store.migrations.one_meaning import RELEASED
from memory.store.scope import EVERYONE
from memory.types import Draft, Message, State, Tier
from tests.memory.older import drop_later_tables

Build = Callable[..., Draft]


@pytest.fixture
def older(tmp_path: Path, embedder: HashingEmbedder, draft: Build) -> Callable[..., LongTermMemory]:
    """Return what opens a folder whose records are as schema 0005 left them."""

    def build(*records: tuple[str, str, State, bool]) -> LongTermMemory:
        memory = LongTermMemory.open(tmp_path, embedder)
        ids = [memory.save(draft(asked, f"as {said}", tier=Tier.VOTE)).record.id
               for asked, said, _, _ in records]  # fmt: skip
        memory.close()
        for place, (_, answer, state, contested) in enumerate(records):
            _set(tmp_path, ids[place], place, answer, state, contested)
        _make_older(tmp_path)
        return LongTermMemory.open(tmp_path, embedder)

    return build


def _set(
    folder: Path, record_id: str, place: int, answer: str, state: State, contested: bool
) -> None:
    """Give a record what the older rules gave it."""
    with sqlite3.connect(folder / "whet.db") as file:
        file.execute(
            "UPDATE record SET answer = ?, answer_hash = ?, state = ?, contested = ? WHERE id = ?",
            (answer, f"old {place}", str(state), contested, record_id),
        )
    file.close()


def _make_older(folder: Path) -> None:
    with sqlite3.connect(folder / "whet.db") as file:
        for table in ("record", "completion"):
            file.execute(f"ALTER TABLE {table} DROP COLUMN request")
        file.execute("UPDATE record SET question_hash = 'old ' || lower(question)")
        drop_later_tables(file)
        file.execute("UPDATE alembic_version SET version_num = '0005'")
    file.close()


def states(memory: LongTermMemory) -> dict[str, State]:
    return {record.answer: record.state for record in memory.walk("ann")}


def reasons(memory: LongTermMemory) -> list[str]:
    with memory._database.reading(EVERYONE) as connection:
        rows = connection.exec_driver_sql(
            "SELECT json_extract(payload, '$.reason') FROM event WHERE kind = 'moved'"
        )
        return [row[0] for row in rows]


def test_answers_that_fought_over_their_spelling_are_one_active_record(
    older: Callable[..., LongTermMemory],
) -> None:
    memory = older(("q", "1/2", State.QUARANTINED, True), ("q", "0.5", State.QUARANTINED, True))
    assert states(memory) == {"1/2": State.ACTIVE, "0.5": State.EXPIRED}
    assert RELEASED in reasons(memory)
    assert any("another spelling" in reason for reason in reasons(memory))
    assert [n.record.answer for n in memory.recall("ann", "q", k=5)] == ["1/2"]
    memory.close()


def test_questions_that_were_folded_into_one_are_two(
    older: Callable[..., LongTermMemory],
) -> None:
    memory = older(
        ("What is 10²?", "100", State.QUARANTINED, True),
        ("What is 102?", "102", State.QUARANTINED, True),
    )
    assert states(memory) == {"100": State.ACTIVE, "102": State.ACTIVE}
    memory.close()


def test_what_was_judged_or_really_differs_stays_where_it_is(
    older: Callable[..., LongTermMemory],
) -> None:
    memory = older(
        ("judged", "1", State.QUARANTINED, False),
        ("fought", "2", State.QUARANTINED, True),
        ("fought", "3", State.QUARANTINED, True),
        ("overruled", "4", State.ACTIVE, False),
        ("overruled", "5", State.QUARANTINED, True),
        ("pending", "6", State.PENDING, False),
    )
    found = states(memory)
    quarantined = {answer for answer, state in found.items() if state is State.QUARANTINED}
    assert quarantined == {"1", "2", "3", "5"}
    assert (found["4"], found["6"]) == (State.ACTIVE, State.PENDING)
    assert RELEASED not in reasons(memory)
    memory.close()


def test_what_comes_later_meets_the_older_record(
    older: Callable[..., LongTermMemory], draft: Build
) -> None:
    memory = older(("q", "12,500", State.ACTIVE, False))
    again = memory.save(draft("q", "12500"))
    assert not again.created
    memory.close()


def test_questions_that_only_the_ids_of_their_calls_told_apart_are_one(
    tmp_path: Path, embedder: HashingEmbedder, draft: Build
) -> None:
    """A database of schema 0006; what others fought over is none of its business."""

    def asked(name: str) -> tuple[Message, ...]:
        call = {"id": name, "type": "function", "function": {"name": "f", "arguments": "{}"}}
        asks = Message(role="user", content="q")
        calls = Message(role="assistant", content="", tool_calls=(call,))
        return (asks, calls, Message(role="tool", content="4", tool_call_id=name))

    memory = LongTermMemory.open(tmp_path, embedder)
    first = memory.save(draft("q", messages=asked("call_a"))).record
    second = memory.save(draft("other", messages=(Message(role="user", content="other"),))).record
    alone = memory.save(draft("judged")).record
    memory.close()
    with sqlite3.connect(tmp_path / "whet.db") as file:
        turns = json.dumps([turn.turn() for turn in asked("call_b")])
        for record, hashed in ((first, "old a"), (second, "old b")):
            file.execute("UPDATE record SET question_hash = ? WHERE id = ?", (hashed, record.id))
        file.execute("UPDATE record SET messages = ? WHERE id = ?", (turns, second.id))
        fought = "UPDATE record SET state = 'quarantined', contested = 1 WHERE id = ?"
        file.execute(fought, (alone.id,))
        drop_later_tables(file)
        file.execute("UPDATE alembic_version SET version_num = '0006'")
    file.close()
    memory = LongTermMemory.open(tmp_path, embedder)
    found = [memory.get("ann", record.id).state for record in (first, second, alone)]
    assert found == [State.ACTIVE, State.EXPIRED, State.QUARANTINED]
    assert not memory.save(draft("q", messages=asked("call_c"))).created
    memory.close()


def test_an_erased_record_stays_a_tombstone(
    tmp_path: Path, embedder: HashingEmbedder, draft: Build
) -> None:
    memory = LongTermMemory.open(tmp_path, embedder)
    saved = memory.save(draft("q")).record
    memory.forget("ann", saved.id)
    memory.close()
    _make_older(tmp_path)
    with sqlite3.connect(tmp_path / "whet.db") as file:
        file.execute("UPDATE record SET question_hash = NULL")
    file.close()
    again = LongTermMemory.open(tmp_path, embedder)
    assert again.get("ann", saved.id).state is State.ERASED
    again.close()

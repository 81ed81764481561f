"""A database of schema 0005 comes over: equal answers are one, and spelling divides no more."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from memory.embedding.hashing import HashingEmbedder
from memory.memory import LongTermMemory
from memory.store.migrations.one_meaning import RELEASED
from memory.store.schema import event, record
from memory.store.scope import EVERYONE
from memory.types import Draft, Message, State, Tier
from tests.memory.older import drop_later_tables

Build = Callable[..., Draft]
Raw = Callable[[Path], AbstractContextManager[Connection]]


@pytest.fixture
def older(
    tmp_path: Path, embedder: HashingEmbedder, draft: Build, raw: Raw
) -> Callable[..., LongTermMemory]:
    """Return what opens a folder whose records are as schema 0005 left them."""

    def build(*records: tuple[str, str, State, bool]) -> LongTermMemory:
        memory = LongTermMemory.open(tmp_path, embedder)
        ids = [memory.save(draft(asked, f"as {said}", tier=Tier.VOTE)).record.id
               for asked, said, _, _ in records]  # fmt: skip
        memory.close()
        with raw(tmp_path) as connection:
            for place, (_, answer, state, contested) in enumerate(records):
                _set(connection, ids[place], place, answer, state, contested)
            _make_older(connection)
        return LongTermMemory.open(tmp_path, embedder)

    return build


def _set(
    connection: Connection, record_id: str, place: int, answer: str, state: State, contested: bool
) -> None:
    """Give a record what the older rules gave it."""
    changed = {"answer": answer, "answer_hash": f"old {place}", "contested": contested}
    here = update(record).where(record.c.id == record_id)
    connection.execute(here.values(**changed, state=str(state)))


def _make_older(connection: Connection) -> None:
    for table in ("record", "completion"):
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN request")
    connection.exec_driver_sql("UPDATE record SET question_hash = 'old ' || lower(question)")
    drop_later_tables(connection)
    connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0005'")


def states(memory: LongTermMemory) -> dict[str, State]:
    return {record.answer: record.state for record in memory.walk("ann")}


def reasons(memory: LongTermMemory) -> list[str]:
    with memory._database.reading(EVERYONE) as connection:
        moved = select(event.c.payload).where(event.c.kind == "moved")
        return [payload["reason"] for payload in connection.execute(moved).scalars()]


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
    tmp_path: Path, embedder: HashingEmbedder, draft: Build, raw: Raw
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
    columns = record.c
    with raw(tmp_path) as connection:
        for each, hashed in ((first, "old a"), (second, "old b")):
            here = update(record).where(columns.id == each.id)
            connection.execute(here.values(question_hash=hashed))
        turns = [turn.turn() for turn in asked("call_b")]
        connection.execute(update(record).where(columns.id == second.id).values(messages=turns))
        fought = {"state": "quarantined", "contested": True}
        connection.execute(update(record).where(columns.id == alone.id).values(**fought))
        drop_later_tables(connection)
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0006'")
    memory = LongTermMemory.open(tmp_path, embedder)
    found = [memory.get("ann", each.id).state for each in (first, second, alone)]
    assert found == [State.ACTIVE, State.EXPIRED, State.QUARANTINED]
    assert not memory.save(draft("q", messages=asked("call_c"))).created
    memory.close()


def test_an_erased_record_stays_a_tombstone(
    tmp_path: Path, embedder: HashingEmbedder, draft: Build, raw: Raw
) -> None:
    memory = LongTermMemory.open(tmp_path, embedder)
    saved = memory.save(draft("q")).record
    memory.forget("ann", saved.id)
    memory.close()
    with raw(tmp_path) as connection:
        _make_older(connection)
        connection.exec_driver_sql("UPDATE record SET question_hash = NULL")
    again = LongTermMemory.open(tmp_path, embedder)
    assert again.get("ann", saved.id).state is State.ERASED
    again.close()

"""A record's move from one state to another; of a question's answers at most one is active."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, and_, select

from memory.errors import ConflictError
from memory.events import append_event
from memory.record_queries import of_record, same_question
from memory.store.schema import record
from memory.types import State


def move(
    connection: Connection,
    tenant: str,
    record_id: str,
    state: State,
    reason: str,
    *,
    contested: bool,
) -> None:
    """Write a record's new state down, and that it moved."""
    connection.execute(of_record(tenant, record_id).values(state=state, contested=contested))
    append_event(connection, tenant, "moved", record_id, state=state, reason=reason)


def decide(connection: Connection, row: Any, state: State, reason: str) -> None:
    """Move a record as somebody decided, to any state but erased.

    Raises `ConflictError` for an erased record, and for activating one of two answers to a
    question while the other is active.
    """
    assert state is not State.ERASED, "erasing is more than a move"
    if row["state"] == State.ERASED:
        raise ConflictError(f"{row['id']} is erased; nothing is left to restore")
    if state is State.ACTIVE:
        refuse_two_answers(connection, row)
    move(connection, row["tenant"], row["id"], state, reason, contested=False)


def refuse_two_answers(connection: Connection, row: Any) -> None:
    """Raise `ConflictError` where another record of the question is active."""
    rival = and_(
        same_question(row["tenant"], row["question_hash"]),
        record.c.id != row["id"],
        record.c.state == State.ACTIVE,
    )
    other = connection.execute(select(record.c.id).where(rival)).scalar()
    if other is not None:
        raise ConflictError(f"{other} answers the same question otherwise: quarantine it first")

"""A record's edit: another answer and text, on the word of whoever gives them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from memory.errors import ConflictError
from memory.events import append_event
from memory.identity.answer_key import answer_key, contradiction
from memory.record_queries import of_record, same_question
from memory.rows import edited
from memory.store.schema import record
from memory.types import State


def correct(
    connection: Connection, row: Any, answer: str, rationale: str, by: str | None = None
) -> None:
    """Give a record another answer and text; `by` is the completion that the word was about.

    Raises `ConflictError` for an erased record, where another gives this answer already, and where
    the text comes to another answer.
    """
    tenant, record_id, key = row["tenant"], row["id"], answer_key(answer)
    if row["state"] == State.ERASED:
        raise ConflictError(f"{record_id} is erased; nothing is left to edit")
    if told := contradiction(rationale, answer):
        raise ConflictError(told)
    alike = same_question(tenant, row["question_hash"]) & (record.c.answer_hash == key)
    other = select(record.c.id).where(alike, record.c.id != record_id)
    if (found := connection.execute(other).scalar()) is not None:
        raise ConflictError(f"{found} gives this answer already: confirm that one")
    changes = edited(row, answer, rationale, by)
    connection.execute(of_record(tenant, record_id).values(**changes, answer_hash=key))
    append_event(connection, tenant, "edited", record_id)

"""Which rows of the table of records are meant: the conditions that several operations share."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    Text,
    and_,
    cast,
    false,
    or_,
    select,
    update,
)

from memory.errors import NotFoundError
from memory.store.dialects import holding
from memory.store.schema import completion, record
from memory.text import trace
from memory.types import State


def tells_of(row: Any) -> ColumnElement[bool]:
    """Completions of a record or of its question, and conversations in which it was asked."""
    asked = completion.c.asked_hash == trace(row["question"])
    return and_(
        completion.c.tenant == row["tenant"],
        or_(completion.c.record_id == row["id"], asked, holds_question(row, completion)),
    )


def holds_question(row: Any, table: Table) -> ColumnElement[bool]:
    """Rows of a table with messages, in one of which a record's question was asked."""
    turns = [message for message in row["messages"] if message["content"] == row["question"]]
    said = cast(table.c.messages, Text)
    told = [holding(said, json.dumps(turn)) for turn in turns if row["question"].strip()]
    return or_(false(), *told)


def completions_of(connection: Connection, tenant: str, record_id: str) -> list[str]:
    """Return the ids of the completions that an erasure of a record takes along."""
    telling = tells_of(row_of(connection, tenant, record_id))
    return list(connection.execute(select(completion.c.id).where(telling)).scalars())


def records_alike(connection: Connection, tenant: str, record_id: str) -> list[str]:
    """Return the tenant's other records that hold a record's question, in whatever turn."""
    telling = holds_question(row_of(connection, tenant, record_id), record)
    mine = and_(record.c.tenant == tenant, record.c.id != record_id, telling)
    return list(connection.execute(select(record.c.id).where(mine)).scalars())


def filters(state: State | None, task: str | None, q: str | None) -> list[ColumnElement[bool]]:
    filters = [record.c.state == state if state else record.c.state != State.ERASED]
    if task is not None:
        filters.append(record.c.task == task)
    if q:
        texts = (record.c.question, record.c.answer, record.c.rationale)
        question, answer, rationale = (text.icontains(q, autoescape=True) for text in texts)
        filters.append(question | answer | rationale)
    return filters


def row_of(connection: Connection, tenant: str, record_id: str) -> Any:
    here = and_(record.c.tenant == tenant, record.c.id == record_id)
    row = connection.execute(select(record).where(here)).mappings().first()
    if row is None:
        raise NotFoundError(f"no record {record_id}")
    return row


def of_record(tenant: str, record_id: str) -> Any:
    return update(record).where(record.c.tenant == tenant, record.c.id == record_id)


def same_question(tenant: str, hashed: str) -> ColumnElement[bool]:
    return and_(record.c.tenant == tenant, record.c.question_hash == hashed)

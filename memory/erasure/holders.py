"""What else than a record holds its question, and goes with it when it is erased."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select

from memory.history.conversations import grow
from memory.history.notes import erase_notes
from memory.history.request_traces import erase_traces
from memory.history.response_rows import erase_responses
from memory.record_queries import tells_of
from memory.store.schema import completion, conversation, item, response
from memory.text import trace
from memory.versions.candidates import erase_scores


def erase_what_tells_of(connection: Connection, row: Any) -> dict[str, int]:
    """Erase completions, their traces, stored responses and notes that hold a record's question,
    items of conversations that hold it or what those responses answered, and what generations noted
    of the record; return how many of each.
    """
    tenant = row["tenant"]
    asked = and_(item.c.tenant == tenant, item.c.trace == trace(row["question"]))
    known = select(completion.c.id).where(tells_of(row))
    holding = select(item.c.holder).where(asked)
    is_meant = or_(response.c.id.in_(known), response.c.id.in_(holding))
    responses, said = erase_responses(connection, tenant, is_meant)
    return {
        "responses": responses,
        "conversation_items": _erase_from_conversations(connection, tenant, asked, said),
        "notes": erase_notes(connection, tenant, row["question"]),
        "traces": erase_traces(connection, row, known),
        "completions": connection.execute(delete(completion).where(tells_of(row))).rowcount,
        **erase_scores(connection, tenant, row["id"]),
    }


def _erase_from_conversations(
    connection: Connection, tenant: str, is_said: ColumnElement[bool], said: Iterable[str]
) -> int:
    rows = list(connection.execute(_of_conversations().where(is_said)))
    for each in said:
        is_answer = and_(item.c.tenant == tenant, item.c.id == each)
        rows += connection.execute(_of_conversations().where(is_answer))
    found = {row.number: row for row in rows}
    for row in found.values():
        connection.execute(delete(item).where(item.c.number == row.number))
        grow(connection, row.holder, -row.bytes)
    return len(found)


def _of_conversations() -> Any:
    columns = select(item.c.number, item.c.holder, item.c.bytes)
    return columns.join(conversation, conversation.c.id == item.c.holder)

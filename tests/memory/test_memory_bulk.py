"""Rows that pass SQLAlchemy by are the rows that it would write."""

from __future__ import annotations

import numpy as np
from sqlalchemy import Text, cast, func, select

from memory.inserting import store_vectors
from memory.memory import LongTermMemory
from memory.rows import draft_row
from memory.store.bulk import insert_many
from memory.store.schema import embedding, event, record
from memory.types import Draft, Message, State, Tier


def row(question: str) -> dict[str, object]:
    draft = Draft(
        tenant="ann",
        task=None,
        messages=(Message(role="user", content='Wie groß, \U0001f4a1 und "so"?'),),
        request={"tools": [{"type": "function", "function": {"name": "f"}}]},
        answer="ja",
        rationale="ja",
        tier=Tier.FEEDBACK,
        evidence={"by": "größer", "n": 1.5, "none": None},
        confidence=0.25,
    )
    made = draft_row(draft) | {"state": State.ACTIVE, "contested": True, "created_at": 1.25}
    return made | {"id": f"rec_{question}", "question_hash": question}


def test_a_row_is_the_one_that_sqlalchemy_writes(memory: LongTermMemory) -> None:
    own = ("number", "id", "question_hash")
    columns = [cast(each, Text) for each in record.c if each.name not in own]
    with memory._database.writing("ann") as connection:
        connection.execute(record.insert(), [row("one")])
        insert_many(connection, record, [row("two"), row("three")])
        rows = connection.execute(select(*columns).order_by(record.c.number)).all()
        read = connection.execute(select(record).order_by(record.c.number)).mappings().all()
    assert len(rows) == 3
    assert len(set(rows)) == 1
    assert [each["id"] for each in read] == ["rec_one", "rec_two", "rec_three"]
    assert read[2]["evidence"] == {"by": "größer", "n": 1.5, "none": None}
    assert read[2]["contested"] is True


def test_no_rows_are_no_statement_and_a_known_key_stays(memory: LongTermMemory) -> None:
    first, second = np.eye(2, 384, dtype=np.float32)
    with memory._database.writing("ann") as connection:
        insert_many(connection, event, [])
        insert_many(connection, record, [row("one")])
        store_vectors(connection, "e", [("rec_one", first)])
        store_vectors(connection, "e", [("rec_one", second)])
        assert connection.execute(select(func.count()).select_from(event)).scalar() == 0
        kept = connection.execute(select(embedding.c.vector)).scalars().all()
    assert [bytes(each) for each in kept] == [first.tobytes()]

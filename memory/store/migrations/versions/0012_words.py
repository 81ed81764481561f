"""Records are found by the rare words of their questions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from memory.store.full_text import MAX_WORDS, words_of

revision = "0012"
down_revision = "0011"

PAGE = 1_000


def upgrade() -> None:
    """Add the table of words, with those of every record that is not erased."""
    op.create_table(
        "word",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("word", sa.String, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    names = ("number", "tenant", "question", "state")
    record = sa.table("record", *(sa.column(name) for name in names))
    word = sa.table("word", *(sa.column(name) for name in ("tenant", "word", "number")))
    connection, last = op.get_bind(), 0
    query = sa.select(record.c.number, record.c.tenant, record.c.question)
    query = query.where(record.c.state != "erased").order_by(record.c.number)
    while rows := connection.execute(query.where(record.c.number > last).limit(PAGE)).all():
        last = rows[-1].number
        entries = [
            {"tenant": row.tenant, "word": each, "number": row.number}
            for row in rows
            for each in words_of(row.question)[:MAX_WORDS]
        ]
        if entries:
            connection.execute(word.insert(), entries)

"""A completion is found by its question, to be erased with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from memory.rows import asked_of
from memory.types import Message

revision = "0005"
down_revision = "0004"

PAGE = 1_000


def upgrade() -> None:
    """Add the hashes; those of completions that are there are reckoned from their messages."""
    op.add_column("completion", sa.Column("asked_hash", sa.String))
    op.add_column("completion", sa.Column("conversation", sa.String))
    completion = sa.table(
        "completion",
        *(sa.column(name) for name in ("rowid", "asked_hash")),
        sa.column("messages", sa.JSON),
    )
    connection, last = op.get_bind(), 0
    query = sa.select(completion.c.rowid, completion.c.messages).order_by(completion.c.rowid)
    while rows := connection.execute(query.where(completion.c.rowid > last).limit(PAGE)).all():
        last = rows[-1].rowid
        for row in rows:
            asked = asked_of(tuple(Message(**message) for message in row.messages))
            here = completion.update().where(completion.c.rowid == row.rowid)
            connection.execute(here.values(asked_hash=asked))

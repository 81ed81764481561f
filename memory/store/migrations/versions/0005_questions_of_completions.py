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
        *(sa.column(name) for name in ("tenant", "id", "asked_hash")),
        sa.column("messages", sa.JSON),
    )
    columns, connection = completion.c, op.get_bind()
    keys = sa.tuple_(columns.tenant, columns.id)
    query = sa.select(columns.tenant, columns.id, columns.messages).order_by(*keys).limit(PAGE)
    last: tuple[str, str] = ("", "")
    while rows := connection.execute(query.where(keys > last)).all():
        last = rows[-1].tenant, rows[-1].id
        for row in rows:
            asked = asked_of(tuple(Message(**message) for message in row.messages))
            here = (columns.tenant == row.tenant) & (columns.id == row.id)
            connection.execute(completion.update().where(here).values(asked_hash=asked))

"""Questions and answers get the identity that votes have: see `one_meaning`."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from memory.store.migrations.one_meaning import unite

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add what else makes a prompt, and reckon every identity anew."""
    for table in ("record", "completion"):
        column = sa.Column("request", sa.JSON, nullable=False, server_default="{}")
        op.add_column(table, column)
    op.drop_index("record_by_content", "record")
    unite(op.get_bind())
    op.create_index(
        "record_by_content", "record", ["tenant", "question_hash", "answer_hash"], unique=True
    )

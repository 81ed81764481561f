"""What tries that failed taught, for the requests of the same task that follow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add the table of notes."""
    op.create_table(
        "note",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("task", sa.String, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("trace", sa.String, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("note_by_task", "note", ["tenant", "task", "number"])
    op.create_index("note_by_time", "note", ["at"])

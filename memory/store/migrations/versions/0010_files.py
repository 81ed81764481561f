"""Files of clients, and batches of requests that are worked on while nobody waits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

WIDE = sa.Integer().with_variant(sa.BigInteger, "postgresql")
"""PostgreSQL's INTEGER ends at 2 GiB, SQLite's does not."""


def upgrade() -> None:
    """Add the tables of files, their contents, batches and what their requests were answered."""
    op.create_table(
        "file",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("bytes", WIDE, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float),
        sqlite_autoincrement=True,
    )
    op.create_index("file_by_tenant", "file", ["tenant", "number"])
    op.create_index("file_by_end", "file", ["expires_at"])
    op.create_table(
        "file_part",
        sa.Column("file_id", sa.String, sa.ForeignKey("file.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "batch",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("endpoint", sa.String, nullable=False),
        sa.Column("input_file_id", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("moments", sa.JSON, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("completed", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("holder", sa.String),
        sa.Column("held_until", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("batch_by_tenant", "batch", ["tenant", "number"])
    op.create_index("batch_by_status", "batch", ["status", "number"])
    op.create_table(
        "batch_answer",
        sa.Column("batch_id", sa.String, sa.ForeignKey("batch.id"), primary_key=True),
        sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("failed", sa.Boolean, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )

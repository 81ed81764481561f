"""Stored responses, conversations, and the items that both hold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the tables of responses, conversations and items."""
    op.create_table(
        "response",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("previous_id", sa.String),
        sa.Column("conversation_id", sa.String),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("used_at", sa.Float, nullable=False),
        sa.Column("held_until", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("response_by_tenant", "response", ["tenant", "used_at", "bytes"])
    op.create_index("response_by_age", "response", ["used_at"])
    op.create_table(
        "conversation",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("conversation_by_tenant", "conversation", ["tenant", "bytes"])
    op.create_table(
        "item",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("trace", sa.String),
        sqlite_autoincrement=True,
    )
    op.create_index("item_by_holder", "item", ["holder", "number"])
    op.create_index("item_by_id", "item", ["holder", "id"])
    op.create_index("item_by_trace", "item", ["tenant", "trace"])

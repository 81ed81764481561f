"""The first schema: records, events, embeddings, completions and adapters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table of the first release."""
    op.create_table(
        "record",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("task", sa.String),
        sa.Column("question_hash", sa.String),
        sa.Column("answer_hash", sa.String),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("messages", sa.JSON, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("rationale", sa.Text, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("contested", sa.Boolean, nullable=False),
        sa.Column("tier", sa.String, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("wins", sa.Integer, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("adapter", sa.String),
        sa.Column("created_at", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "head",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
    )
    op.create_table(
        "event",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("record_id", sa.String, nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "embedding",
        sa.Column("record_id", sa.String, sa.ForeignKey("record.id"), primary_key=True),
        sa.Column("embedder_id", sa.String, primary_key=True),
        sa.Column("vector", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "completion",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("messages", sa.JSON, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("adapter", sa.String),
        sa.Column("task", sa.String),
        sa.Column("record_id", sa.String),
        sa.Column("feedback", sa.JSON),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_table(
        "adapter",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("base_model", sa.String, nullable=False),
        sa.Column("parent", sa.String),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("content_hash", sa.String, nullable=False),
        sa.Column("metrics", sa.JSON, nullable=False),
        sa.Column("rejected", sa.Text),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_table(
        "alias",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("adapter_id", sa.String, sa.ForeignKey("adapter.id"), nullable=False),
    )
    op.create_table(
        "lineage",
        sa.Column("adapter_id", sa.String, sa.ForeignKey("adapter.id"), primary_key=True),
        sa.Column("record_id", sa.String, primary_key=True),
    )
    op.create_index("record_by_tenant", "record", ["tenant", "state", "number"])
    op.create_index(
        "record_by_content", "record", ["tenant", "question_hash", "answer_hash"], unique=True
    )
    op.create_index("completion_by_age", "completion", ["created_at"])
    op.create_index("completion_by_record", "completion", ["record_id"])
    op.create_index("adapter_by_tenant", "adapter", ["tenant", "created_at"])
    op.create_index("lineage_by_record", "lineage", ["record_id"])

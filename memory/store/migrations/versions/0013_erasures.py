"""What was erased and how, and which adapter versions are retired for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the tables of erasures and of retired adapter versions."""
    op.create_table(
        "erasure",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("record_id", sa.String, primary_key=True),
        sa.Column("digest", sa.String),
        sa.Column("by", sa.String),
        sa.Column("retires", sa.Boolean, nullable=False),
        sa.Column("removed", sa.JSON, nullable=False),
        sa.Column("begun_at", sa.Float, nullable=False),
        sa.Column("ended_at", sa.Float),
    )
    op.create_index("erasure_by_end", "erasure", ["ended_at"])
    op.create_table(
        "retirement",
        sa.Column("adapter_id", sa.String, sa.ForeignKey("adapter.id"), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("replaced_by", sa.String),
    )

"""What the promotion gate found of each generation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0015"


def upgrade() -> None:
    """Add the table of judgements."""
    op.create_table(
        "judgement",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("base_model", sa.String, nullable=False),
        sa.Column("adapter_id", sa.String, nullable=False),
        sa.Column("promoted", sa.Boolean, nullable=False),
        sa.Column("alpha", sa.Float, nullable=False),
        sa.Column("e_value", sa.Float, nullable=False),
        sa.Column("helped", sa.Integer, nullable=False),
        sa.Column("hurt", sa.Integer, nullable=False),
        sa.Column("before", sa.Float, nullable=False),
        sa.Column("after", sa.Float, nullable=False),
        sa.Column("train", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("record_ids", sa.JSON, nullable=False),
        sa.Column("alarms", sa.JSON, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("judgement_by_tenant", "judgement", ["tenant", "base_model", "number"])

"""What strategies are worth is noted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the table of trials; what was answered before is in none."""
    op.create_table(
        "trial",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("strategy", sa.String, primary_key=True),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("near", sa.String),
        sa.Column("right", sa.Boolean),
        sa.Column("baseline", sa.Boolean),
        sa.Column("same", sa.Boolean),
        sa.Column("tokens", sa.Integer, nullable=False),
        sa.Column("trained_tokens", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_index("trial_by_age", "trial", ["tenant", "at"])
    op.create_index("trial_by_near", "trial", ["near", "tenant", "at"])

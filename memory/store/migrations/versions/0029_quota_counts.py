"""What tenants have used of their limits, for all servers together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Add the table of counts."""
    op.create_table(
        "quota_count",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("requests_full_at", sa.Float, nullable=False),
        sa.Column("tokens_full_at", sa.Float, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("steps", sa.Integer, nullable=False),
        sa.Column("places", sa.JSON, nullable=False),
        sa.Column("settled_at", sa.Float, nullable=False),
    )

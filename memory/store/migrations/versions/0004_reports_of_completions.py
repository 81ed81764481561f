"""The report of an answer is kept with its completion."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the report to the completions; old ones have none."""
    op.add_column("completion", sa.Column("report", sa.JSON))

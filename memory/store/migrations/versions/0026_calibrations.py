"""When one sample is enough, by tenant and model."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Add the table of tenants' own calibrations."""
    op.create_table(
        "calibration",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("model", sa.String, primary_key=True),
        sa.Column("found", sa.JSON),
    )

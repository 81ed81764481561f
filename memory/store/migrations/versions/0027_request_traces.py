"""How answers came about, the latest of each tenant."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Add the table of traces."""
    op.create_table(
        "request_trace",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("strategy", sa.String, nullable=False),
        sa.Column("record_id", sa.String),
        sa.Column("asked_hash", sa.String, nullable=False),
        sa.Column("summary", sa.JSON, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("request_trace_by_id", "request_trace", ["tenant", "id"], unique=True)
    op.create_index("request_trace_by_number", "request_trace", ["tenant", "number"])
    op.create_index("request_trace_by_age", "request_trace", ["at"])

"""Offline work that somebody asked for, and what was told of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the tables of jobs and of their events."""
    op.create_table(
        "job",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("result", sa.JSON),
        sa.Column("error", sa.Text),
        sa.Column("progress", sa.JSON),
        sa.Column("wanted", sa.String),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("started_at", sa.Float),
        sa.Column("ended_at", sa.Float),
        sa.Column("holder", sa.String),
        sa.Column("begun_at", sa.Float),
        sa.Column("held_until", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("job_by_tenant", "job", ["tenant", "number"])
    op.create_index("job_by_status", "job", ["status", "number"])
    op.create_table(
        "job_event",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("job_id", sa.String, sa.ForeignKey("job.id"), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("level", sa.String, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("data", sa.JSON),
        sqlite_autoincrement=True,
    )
    op.create_index("job_event_by_job", "job_event", ["job_id", "number"])

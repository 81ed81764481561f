"""Evaluations, their runs, and what came of each item."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the tables of evaluations, of runs and of their outputs."""
    op.create_table(
        "evaluation",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("evaluation_by_tenant", "evaluation", ["tenant", "number"])
    op.create_table(
        "eval_run",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("eval_id", sa.String, sa.ForeignKey("evaluation.id"), nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("error", sa.JSON),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("summary", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("holder", sa.String),
        sa.Column("held_until", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("eval_run_by_tenant", "eval_run", ["tenant", "number"])
    op.create_index("eval_run_by_eval", "eval_run", ["eval_id", "number"])
    op.create_index("eval_run_by_status", "eval_run", ["status", "number"])
    op.create_table(
        "eval_output",
        sa.Column("run_id", sa.String, sa.ForeignKey("eval_run.id"), primary_key=True),
        sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )

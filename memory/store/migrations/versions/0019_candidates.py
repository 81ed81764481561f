"""What generations considered learning from, how they chose, and solutions that models wrote."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add the tables of candidates, of selections and of worked solutions."""
    _candidates()
    _selections()
    op.create_table(
        "worked_solution",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("record_id", sa.String, primary_key=True),
        sa.Column("base_model", sa.String, primary_key=True),
        sa.Column("content", sa.String, nullable=False),
        sa.Column("text", sa.Text),
        sa.Column("at", sa.Float, nullable=False),
    )


def _candidates() -> None:
    op.create_table(
        "candidate",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("base_model", sa.String, nullable=False),
        sa.Column("adapter_id", sa.String, nullable=False),
        sa.Column("record_id", sa.String, nullable=False),
        sa.Column("content", sa.String, nullable=False),
        sa.Column("chosen", sa.Boolean, nullable=False),
        sa.Column("tier", sa.String, nullable=False),
        sa.Column("verifier", sa.String),
        sa.Column("difficulty", sa.Float),
        sa.Column("perplexity", sa.Float, nullable=False),
        sa.Column("novelty", sa.Float, nullable=False),
        sa.Column("influence", sa.Float, nullable=False),
        sa.Column("tokens", sa.Integer, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("candidate_by_record", "candidate", ["tenant", "record_id", "number"])
    op.create_index("candidate_by_adapter", "candidate", ["tenant", "base_model", "adapter_id"])


def _selections() -> None:
    op.create_table(
        "selection",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("base_model", sa.String, nullable=False),
        sa.Column("adapter_id", sa.String, nullable=False),
        sa.Column("policy", sa.String, nullable=False),
        sa.Column("propensity", sa.Float, nullable=False),
        sa.Column("propensities", sa.JSON, nullable=False),
        sa.Column("served", sa.Boolean, nullable=False),
        sa.Column("gain", sa.Float, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("selection_by_tenant", "selection", ["tenant", "base_model", "number"])

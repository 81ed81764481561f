"""Numbers, releases and shadows of adapter versions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

NUMBERED = """
INSERT INTO version_number (adapter_id, tenant, base_model, number)
SELECT id, tenant, base_model,
       row_number() OVER (PARTITION BY tenant, base_model ORDER BY created_at, id)
FROM adapter WHERE id NOT IN (SELECT adapter_id FROM alias WHERE name LIKE 'ft:%')
"""
"""In the order they were made; fine-tuned models have names of their own."""


def upgrade() -> None:
    """Add the tables, and number what is there."""
    op.create_table(
        "version_number",
        sa.Column("adapter_id", sa.String, sa.ForeignKey("adapter.id"), primary_key=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("base_model", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
    )
    numbered = ["tenant", "base_model", "number"]
    op.create_index("version_by_number", "version_number", numbered, unique=True)
    op.create_table(
        "release_step",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("adapter_id", sa.String, sa.ForeignKey("adapter.id"), nullable=False),
        sa.Column("stage", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("release_step_by_adapter", "release_step", ["adapter_id", "number"])
    op.create_index("release_step_by_tenant", "release_step", ["tenant", "number"])
    op.create_table(
        "shadow",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("adapter_id", sa.String, sa.ForeignKey("adapter.id"), primary_key=True),
        sa.Column("shown_right", sa.Boolean),
        sa.Column("right", sa.Boolean),
        sa.Column("same", sa.Boolean, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_index("shadow_by_adapter", "shadow", ["adapter_id"])
    op.execute(sa.text(NUMBERED))

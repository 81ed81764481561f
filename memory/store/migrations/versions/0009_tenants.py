"""Keys bind requests to tenants, and tenants have limits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the tables of keys and limits; without keys, loopback serves the default tenant."""
    op.create_table(
        "api_key",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("hint", sa.String, nullable=False),
        sa.Column("digest", sa.String, nullable=False, unique=True),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float),
        sa.Column("revoked_at", sa.Float),
        sa.Column("last_used_at", sa.Float),
        sa.Column("revision", sa.Integer, nullable=False),
    )
    op.create_index("api_key_by_revision", "api_key", ["revision"])
    op.create_index("api_key_by_tenant", "api_key", ["tenant", "created_at"])
    op.create_table(
        "tenant_limits",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("limits", sa.JSON, nullable=False),
        sa.Column("changed_at", sa.Float, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
    )
    op.create_index("tenant_limits_by_revision", "tenant_limits", ["revision"])

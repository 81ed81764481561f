"""What may lie in the artifact store though no version has it, so that it can be deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Add the table of digests."""
    op.create_table(
        "loose_artifact",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("content_hash", sa.String, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_index("loose_artifact_by_content", "loose_artifact", ["content_hash"])

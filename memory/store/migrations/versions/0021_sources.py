"""Records know where their questions are from, completions what the client noted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Add both; what a file brought says so in its evidence, all else was asked here."""
    op.add_column("completion", sa.Column("metadata", sa.JSON(none_as_null=True)))
    source = sa.Column("source", sa.String, nullable=False, server_default="served")
    op.add_column("record", source)
    names = ("source", "tier", "evidence")
    record = sa.table("record", *(sa.column(name) for name in names))
    told = sa.cast(record.c.evidence, sa.Text).contains('"source": "import"', autoescape=True)
    brought = sa.or_(record.c.tier == "imported", told)
    op.execute(record.update().where(brought).values(source="import"))

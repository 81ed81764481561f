"""Records know where their questions are from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0018"


def upgrade() -> None:
    """Add the source; what a file brought says so in its evidence, all else was asked here."""
    source = sa.Column("source", sa.String, nullable=False, server_default="served")
    op.add_column("record", source)
    names = ("source", "tier", "evidence")
    record = sa.table("record", *(sa.column(name) for name in names))
    told = sa.cast(record.c.evidence, sa.Text).contains('"source": "import"', autoescape=True)
    brought = sa.or_(record.c.tier == "imported", told)
    op.execute(record.update().where(brought).values(source="import"))

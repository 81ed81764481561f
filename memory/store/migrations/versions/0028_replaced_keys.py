"""Which key was made in the place of another."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Add the id of the key that a rotation made."""
    op.add_column("api_key", sa.Column("replaced_by", sa.String))

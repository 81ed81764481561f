"""How often the process of a job was killed: a server that is started anew must know."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0022"


def upgrade() -> None:
    """Count it in the job's row."""
    column = sa.Column("killed", sa.Integer, nullable=False, server_default="0")
    op.add_column("job", column)

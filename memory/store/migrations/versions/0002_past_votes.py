"""How the votes of a completion fell, for the prior of later votes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add what is known of a vote to the completions; old ones have none."""
    for name, kind in (
        ("vote_leader", sa.Integer),
        ("vote_runner_up", sa.Integer),
        ("vote_rest", sa.Integer),
        ("vote_trained", sa.Boolean),
        ("vote_near", sa.String),
    ):
        op.add_column("completion", sa.Column(name, kind))
    op.create_index("completion_by_tenant", "completion", ["tenant", "vote_trained", "created_at"])
    op.create_index("completion_by_near", "completion", ["vote_near"])

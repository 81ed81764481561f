"""The newest votes near a record are found without reading all of them."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Replace the index by one that is in order, and holds what is asked for."""
    op.drop_index("completion_by_near", "completion")
    op.create_index(
        "completion_by_near",
        "completion",
        [
            "vote_near",
            "vote_trained",
            "created_at",
            "tenant",
            "vote_leader",
            "vote_runner_up",
            "vote_rest",
        ],
    )

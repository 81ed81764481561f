"""Questions go by what their calls say, not by ids and layout: see `memory.identity.prompt`."""

from __future__ import annotations

from alembic import op

from memory.store.migrations.one_meaning import unite

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Reckon every fingerprint anew; what was two questions may be one."""
    op.drop_index("record_by_content", "record")
    unite(op.get_bind())
    op.create_index(
        "record_by_content", "record", ["tenant", "question_hash", "answer_hash"], unique=True
    )

"""Records as an import would bring them."""

from __future__ import annotations

from datetime import UTC, datetime

from memory.types import Message, Record, State, Tier

CREATED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def imported(record_id: str, question: str, rationale: str, answer: str) -> Record:
    """Return an active record of the default tenant."""
    return Record(
        id=record_id,
        tenant="default",
        messages=(Message(role="user", content=question),),
        answer=answer,
        rationale=rationale,
        tier=Tier.IMPORTED,
        state=State.ACTIVE,
        created_at=CREATED_AT,
    )

"""Records as an import would bring them."""

from __future__ import annotations

from datetime import UTC, datetime

from adaptation.evaluation.suites.solved import Solved
from memory.types import Draft, Message, Record, State, Tier

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


def imported_draft(tenant: str, solved: Solved) -> Draft:
    """Return what a memory saves of a solved example."""
    return Draft(
        tenant=tenant,
        task=solved.task,
        messages=(Message(role="user", content=solved.question),),
        answer=solved.answer,
        rationale=solved.rationale,
        tier=Tier.IMPORTED,
    )

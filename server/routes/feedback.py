"""`POST /v1/feedback`: the caller's word on an answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import AfterValidator, Field

from adaptation.allowance import Allowance
from memory.feedback import apply_feedback
from memory.memory import LongTermMemory
from memory.types import Frozen
from server.routes.elsewhere import Elsewhere
from server.routes.records import record_object
from server.tenancy.principal import Tenant


def _says_something(text: str) -> str:
    if not text.replace("\0", "").strip():
        raise ValueError("must not be blank: leave it out")
    return text


Said = Annotated[str, Field(min_length=1, max_length=64_000), AfterValidator(_says_something)]


class Feedback(Frozen):
    """What the caller says."""

    completion_id: str = Field(min_length=1, max_length=256)
    """The `id` of the response it is about."""
    verdict: Literal["correct", "incorrect"]
    answer: Said | None = None
    """The right answer, where the caller knows it."""
    rationale: Said | None = None
    """A worked solution that ends in the right answer: what there is to learn from."""


def feedback_router(
    memory: LongTermMemory, allowance: Allowance, elsewhere: Elsewhere
) -> APIRouter:
    """Return the route, over `memory`; what it saves counts as a record of the tenant's day."""
    router = APIRouter(tags=["memory"])

    @router.post("/v1/feedback")
    async def feedback(said: Feedback, tenant: Tenant) -> dict[str, Any]:
        """Create, confirm or quarantine what was learned from one answer.

        Where the tenant's day has no room for a record, only what cannot make one is heard.
        """
        return await elsewhere.found(memory.aside.writing, heard, said, tenant)

    def heard(said: Feedback, tenant: str) -> dict[str, Any]:
        if said.verdict == "correct" or said.answer or said.rationale:
            allowance.records(tenant)
        outcome = apply_feedback(
            memory, tenant, said.completion_id, said.verdict, said.answer, said.rationale
        )
        return {
            "object": "feedback",
            "completion_id": said.completion_id,
            "action": outcome.action,
            "record": record_object(outcome.record) if outcome.record else None,
            "reason": outcome.reason,
        }

    return router

"""What is kept of an answer: a verified success, with the evidence for it."""

from __future__ import annotations

import asyncio
import logging

from adaptation.adapting import Adapted
from adaptation.services import Services
from adaptation.types import MemoryReport, Query
from adaptation.verifying import Verified
from memory.errors import WhetMemoryError
from memory.memory import LongTermMemory
from memory.types import Draft, Tier

logger = logging.getLogger(__name__)


async def remember(
    query: Query, verified: Verified, training: Adapted, services: Services
) -> MemoryReport:
    """Save the answer where it was verified; committed before this returns."""
    memory = services.memory
    await _credit(query, verified, training, memory)
    tier, refusal = earned_tier(query, verified)
    if tier is None:
        return MemoryReport(saved=None, state=None, reason=refusal)
    draft = _draft(query, verified, tier, services.policy.model)
    try:
        saved = await asyncio.to_thread(memory.save, draft)
    except WhetMemoryError as error:
        logger.warning("an answer was served but not saved: %s", error)
        return MemoryReport(saved=None, state=None, reason=f"not saved: {error}")
    return MemoryReport(saved=saved.record.id, state=saved.record.state, reason=saved.reason)


def earned_tier(query: Query, verified: Verified) -> tuple[Tier | None, str]:
    """Return the tier an answer is saved under, or None and why it is not saved."""
    if not query.options.memory.write:
        return None, "the request does not write memory"
    if not query.question.strip():
        return None, "the question has no text"
    if verified.vote.winner.finish_reason == "length":
        return None, "the answer was cut off"
    if verified.failed:
        return None, "a verifier rejected the answer"
    if verified.tier is not None:
        return verified.tier, "verified"
    if not verified.vote.readable and query.options.answer.kind != "text":
        return None, "free text is not saved: there is no answer to read out of it"
    if len(verified.vote.ranked) == 1:
        return None, "one sample was drawn: without a vote there is no evidence to save it by"
    if verified.vote.confidence < query.options.confidence:
        return None, "the vote was not confident"
    return Tier.VOTE, "confident vote"


def _draft(query: Query, verified: Verified, tier: Tier, model: str) -> Draft:
    vote = verified.vote
    return Draft(
        tenant=query.tenant,
        task=query.options.memory.task,
        messages=query.messages,
        answer=vote.answer or vote.winner.text,
        rationale=vote.winner.text,
        tier=tier,
        evidence={
            "completion": query.id,
            "votes": [entry.model_dump() for entry in vote.counts],
            "verifiers": [report.model_dump() for report in verified.reports],
        },
        confidence=vote.confidence,
        model=model,
        adapter=vote.winner.adapter,
    )


async def _credit(
    query: Query, verified: Verified, training: Adapted, memory: LongTermMemory
) -> None:
    """Note which records were trained on, and whether a verifier confirmed what came of it."""
    if training.adapter is None:
        return
    ids = [neighbour.record.id for neighbour in training.neighbours]
    try:
        await asyncio.to_thread(memory.credit, query.tenant, ids, won=verified.tier is not None)
    except WhetMemoryError as error:
        logger.warning("the use of %d records was not noted: %s", len(ids), error)

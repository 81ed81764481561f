"""What is kept of an answer: a verified success, with the evidence for it."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

from adaptation.learning.adapted import Adapted
from adaptation.report import MemoryReport
from adaptation.services import Services
from adaptation.types import Query
from adaptation.verify import Verified
from adaptation.waits import memory_wait_s
from memory.errors import SpentError, WhetMemoryError
from memory.memory import LongTermMemory
from memory.types import Draft, Tier

logger = logging.getLogger(__name__)


LATE = "not saved in time: the database has not answered; it is still being tried"
FULL = "not saved: too many answers wait for the database"


async def remember(
    query: Query, verified: Verified, training: Adapted, services: Services
) -> MemoryReport:
    """Save the answer where it was verified; what is reported as saved is committed.

    No answer waits for its memory longer than `memory_wait_s`: what takes longer goes on in the
    background, and is never reported as done.
    """
    memory, background = services.memory, services.background
    tier, refusal = earned_tier(query, verified)
    if background.is_full:
        return _not_saved(FULL if tier else refusal)
    work: list[asyncio.Task[Any]] = []
    if training.adapter is not None:
        work.append(background.start(_credit(query, verified, training, memory)))
    saving = None
    if tier is not None:
        saving = background.start(_save(_draft(query, verified, tier, services), services))
        work.append(saving)
    if work:
        await asyncio.wait(work, timeout=memory_wait_s(query))
    if saving is None:
        return _not_saved(refusal)
    return saving.result() if saving.done() else _not_saved(LATE)


async def _save(draft: Draft, services: Services) -> MemoryReport:
    aside = services.memory.aside
    try:
        await aside.read(partial(services.allowance.records, draft.tenant))
        saved = await aside.save(draft)
    except SpentError as error:
        return _not_saved(f"not saved: {error}")
    except WhetMemoryError as error:
        logger.warning("an answer was not saved: %s", error)
        return _not_saved(f"not saved: {error}")
    return MemoryReport(saved=saved.record.id, state=saved.record.state, reason=saved.reason)


def _not_saved(reason: str) -> MemoryReport:
    return MemoryReport(saved=None, state=None, reason=reason)


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


def _draft(query: Query, verified: Verified, tier: Tier, services: Services) -> Draft:
    vote = verified.vote
    return Draft(
        tenant=query.tenant,
        task=query.options.memory.task,
        messages=query.messages,
        request=query.request,
        answer=vote.answer or vote.winner.text,
        rationale=vote.winner.text,
        tier=tier,
        evidence={
            "completion": query.id,
            "votes": [entry.model_dump() for entry in vote.counts],
            "verifiers": [report.model_dump() for report in verified.reports],
            **({"end_user": query.end_user} if query.end_user is not None else {}),
        },
        confidence=vote.confidence,
        model=services.policy.model,
        adapter=vote.winner.adapter,
    )


async def _credit(
    query: Query, verified: Verified, training: Adapted, memory: LongTermMemory
) -> None:
    """Note which records were trained on, and whether a verifier confirmed what came of it."""
    ids = [neighbour.record.id for neighbour in training.neighbours]
    try:
        await memory.aside.credit(query.tenant, ids, won=verified.tier is not None)
    except WhetMemoryError as error:
        logger.warning("the use of records (%d) was not noted: %s", len(ids), error)

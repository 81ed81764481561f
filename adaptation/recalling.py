"""The neighbours of a question, or why there are none."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from adaptation.options import Strategy
from adaptation.policy import Policy
from adaptation.types import Query
from memory.errors import WhetMemoryError
from memory.memory import LongTermMemory
from memory.types import Neighbour

TRAINING_STRATEGIES = frozenset({Strategy.TTT, Strategy.AUTO})


@dataclass(frozen=True)
class Recalled:
    """Neighbours, most similar first."""

    neighbours: tuple[Neighbour, ...] = ()
    obstacle: str | None = None
    """Why memory could not be read; the request goes on without it."""


async def recall(query: Query, memory: LongTermMemory, policy: Policy) -> Recalled:
    """Find the tenant's neighbours of the question, where the strategy has a use for them."""
    options = query.options
    if options.strategy not in TRAINING_STRATEGIES or not options.memory.read:
        return Recalled()
    if not query.question.strip():
        return Recalled(obstacle="the question has no text to find neighbours of")
    try:
        neighbours = await asyncio.to_thread(
            memory.recall,
            query.tenant,
            query.question,
            k=policy.candidates,
            task=options.memory.task,
        )
    except WhetMemoryError as error:
        return Recalled(obstacle=f"memory is unavailable: {error}")
    return Recalled(tuple(neighbours))

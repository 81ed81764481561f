"""The neighbours of a question, or why there are none."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from adaptation.services import Services
from adaptation.types import Query
from adaptation.voting.rules import NEIGHBOURS, patience
from adaptation.waits import recall_wait_s
from memory.errors import UnreadableError, WhetMemoryError
from memory.types import Neighbour


@dataclass(frozen=True)
class Recalled:
    """Neighbours, most similar first."""

    neighbours: tuple[Neighbour, ...] = ()
    close: tuple[Neighbour, ...] = ()
    """The neighbours that are similar enough to the question."""
    obstacle: str | None = None
    """Why there is nothing to train on; the request goes on without it."""
    note: str | None = None
    """What may be missing among the neighbours."""

    @property
    def nearest(self) -> str | None:
        """The record whose question is most like the one asked, where there is a close one."""
        return self.close[0].record.id if self.close else None


async def recall(query: Query, services: Services, *, as_examples: bool) -> Recalled:
    """Find the tenant's neighbours of the question, where there is a use for them.

    `as_examples` asks for enough to learn from; otherwise they only tell how votes fall here.
    """
    if not query.options.memory.read or not (as_examples or services.rules.learns_from(query)):
        return Recalled()
    if as_examples:
        return await _look(query, services, services.policy.candidates, recall_wait_s(query))
    found = await _look(query, services, NEIGHBOURS, patience(query))
    return replace(found, obstacle=None, note=None)


async def _look(query: Query, services: Services, most: int, limit_s: float) -> Recalled:
    if not query.question.strip():
        return Recalled(obstacle="the question has no text to find neighbours of")
    memory, task = services.memory, query.options.memory.task
    try:
        async with asyncio.timeout(limit_s):
            found = await memory.aside.recall(query.tenant, query.question, k=most, task=task)
    except UnreadableError as error:
        return Recalled(obstacle=str(error))
    except WhetMemoryError as error:
        return Recalled(obstacle=f"memory is unavailable: {error}")
    except TimeoutError:
        return Recalled(obstacle=f"memory did not answer within {limit_s:.2g} s")
    least = services.policy.min_similarity
    close = tuple(neighbour for neighbour in found if neighbour.similarity >= least)
    return Recalled(tuple(found), close, note=_note(memory.lacking(query.tenant)))


def _note(lacking: int) -> str | None:
    if not lacking:
        return None
    return f"memory is being embedded anew: {lacking} records cannot be recalled yet"

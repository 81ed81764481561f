"""Streams of chunks on their way out: vLLM's generators yield finished events.

An event is read as JSON where something is to be added to it; all others pass as they came.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from server.gateway.exchange import Exchange, Votes
from server.requests.openai_form import conform

Events = AsyncGenerator[str, None]
DATA, DONE = "data: ", "data: [DONE]\n\n"
BEGUN = ": the vote has begun\n\n"
"""A comment: completions have no chunk that says nothing, and a client should hear something."""


def event(content: Mapping[str, Any]) -> str:
    """Return a server-sent event."""
    return f"{DATA}{json.dumps(content, ensure_ascii=False)}\n\n"


async def reported(events: Events, exchange: Exchange, *, reads_all: bool) -> Events:
    """Yield a stream's events, with its reports, its true usage, and in OpenAI's form.

    `reads_all` says that every chunk holds what vLLM writes in another form.
    """
    async with aclosing(events):
        async for each in events:
            is_read = (reads_all or exchange.is_due) and each != DONE
            yield _completed(each, exchange) if is_read else each


def _completed(each: str, exchange: Exchange) -> str:
    chunk = json.loads(each.removeprefix(DATA))
    exchange.complete_chunk(chunk)
    conform(chunk)
    return event(chunk)


async def begun(events: Events) -> Events:
    """Yield a stream's events, a comment first."""
    async with aclosing(events):
        yield BEGUN
        async for each in events:
            yield each


async def with_progress(events: Events, votes: Votes, named: Mapping[str, Any]) -> Events:
    """Yield a stream's events and, as they come in, the votes: chunks without content.

    Clients pass over those. `named` is what every chunk of the stream says of itself.
    """
    coming = asyncio.ensure_future(anext(events, None))
    counted = asyncio.ensure_future(votes.get())
    try:
        while True:
            await asyncio.wait([coming, counted], return_when=asyncio.FIRST_COMPLETED)
            if counted.done():
                shown = {"votes": [entry.model_dump() for entry in counted.result()]}
                yield event({**named, "choices": [], "adaptation": {"progress": shown}})
                counted = asyncio.ensure_future(votes.get())
            elif (each := coming.result()) is not None:
                yield each
                coming = asyncio.ensure_future(anext(events, None))
            else:
                return
    finally:
        for task in (coming, counted):
            task.cancel()
        await asyncio.gather(coming, counted, return_exceptions=True)
        await events.aclose()

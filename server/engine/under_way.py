"""Requests that vLLM's engine works on: how they are ended, told of an end, and counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from vllm.v1.engine.exceptions import EngineDeadError

POLL_S = 0.1


async def end_requests(client: Any, request_ids: Sequence[str]) -> None:
    """Have vLLM give each request a last output, with all that it holds back."""
    with suppress(EngineDeadError):  # then they have ended
        await client.abort(list(request_ids))
    # vLLM ends the children of a request for several choices, and keeps their parent for ever.
    parents = client.output_processor.parent_requests
    ended = [key for key, parent in parents.items() if parent.external_req_id in request_ids]
    for key in ended:
        del parents[key]


async def tell_all(client: Any, error: Callable[[], Exception], timeout_s: float) -> None:
    """Raise an `error` in every request that does not end within `timeout_s`.

    vLLM leaves those waiting for ever that are under way when it is shut down. Each gets one of
    its own: what is raised in many places collects the trace of all of them, and logging it held
    the event loop for a minute.
    """
    processor, end = client.output_processor, time.monotonic() + timeout_s
    while processor.has_unfinished_requests() and time.monotonic() < end:  # noqa: ASYNC110
        await asyncio.sleep(min(POLL_S, timeout_s))
    client.refuse(error)  # before places are left, which would let the next ones in
    for state in processor.request_states.values():
        state.queue.put(error())


def counters(client: Any, request_id: str) -> list[Any]:
    """Return vLLM's own statistics of a running request, one for each choice.

    They go on being true when the request has ended. Empty where vLLM keeps none.
    """
    states = states_of(client, request_id)
    return [state.stats for state in states if state.stats is not None]


def states_of(client: Any, request_id: str) -> list[Any]:
    """Return what vLLM keeps of a running request beside its engine, one for each choice."""
    processor = client.output_processor
    children = processor.external_req_ids.get(request_id, ())
    states = (processor.request_states.get(child) for child in children)
    return [state for state in states if state is not None]

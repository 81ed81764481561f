"""What is done while nobody waits: batches, evaluations and jobs.

They ask this server from inside, and are told when there is something to be done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import httpx

from server.batches.inside import Inside
from server.batches.worker import BatchWorker
from server.config import Settings
from server.evals.asking import Door
from server.evals.worker import EvalWorker
from server.jobs.device import lock_of_device
from server.jobs.runner import JobRunner
from server.parts import Parts
from server.requests.models_asked import ModelsAsked
from server.tenancy.principal import Principal, Role

Stir = Callable[[], object]


@dataclass(frozen=True)
class Offline:
    """The workers, and what wakes each of them."""

    batches: BatchWorker
    evals: EvalWorker
    jobs: JobRunner
    stir_batches: Stir
    """Called, from any thread, when there is something to be done; so are the next two."""
    stir_evals: Stir
    stir_jobs: Stir
    device_lock: Callable[[], Path]
    """Returns the lock of the device that jobs train on."""
    door_of: Callable[[str], Door]
    """Asks models in a tenant's name."""


def offline_of(
    parts: Parts, settings: Settings, inside: Inside, models: ModelsAsked, most_bytes: int
) -> Offline:
    """Build them; `most_bytes` bounds a line of what they are to ask, `models` are those there."""
    memory, at_once = parts.memory, settings.batch_requests
    embedder = memory.embedder.id.partition("@")[0]
    batch_news, stir_batches = _news()
    eval_news, stir_evals = _news()
    job_news, stir_jobs = _news()
    device_lock = cache(partial(lock_of_device, settings))

    def client_of(tenant: str) -> httpx.AsyncClient:
        return inside.client(Principal(tenant, Role.ADMIN, in_batch=True))

    return Offline(
        batches=BatchWorker(memory, inside.post, batch_news, at_once, most_bytes),
        evals=EvalWorker(
            memory, inside.post, eval_news, at_once, most_bytes, embedder, models, parts.telemetry
        ),
        jobs=JobRunner(memory, settings, job_news, device_lock, client_of),
        stir_batches=stir_batches,
        stir_evals=stir_evals,
        stir_jobs=stir_jobs,
        device_lock=device_lock,
        door_of=lambda tenant: Door(inside.post, tenant, embedder),
    )


def _news() -> tuple[asyncio.Event, Stir]:
    """Return an event, and what sets it from any thread."""
    event, loop = asyncio.Event(), asyncio.get_running_loop()
    return event, partial(loop.call_soon_threadsafe, event.set)

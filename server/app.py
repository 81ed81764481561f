"""Composition: every part is built here, once, and passed to those who use it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Coroutine
from functools import cache, partial
from typing import Any, NamedTuple

import httpx
from fastapi import FastAPI
from prometheus_client import REGISTRY, CollectorRegistry

from adaptation.errors import EngineError
from adaptation.learning.wanted import Wanted
from adaptation.learning.warming import Warming
from adaptation.pipeline import answer
from server.access_log import drop_queries
from server.adaptation_middleware import TAKEN_PATHS
from server.adaptive_client import AdaptiveClient
from server.admission import Away, Occupancy
from server.batches.inside import Inside
from server.batches.worker import BatchWorker
from server.bookkeeping import Bookkeeper
from server.config import ConfigError, Settings
from server.draining import Draining
from server.engine import launch
from server.engine.parsers import Parsers
from server.engine_defaults import runtime_adapters
from server.errors import install_handlers
from server.evals.asking import Door
from server.evals.worker import EvalWorker
from server.gateway.application import make_app
from server.gateway.routes import parse_once
from server.generations import GenerationCounts
from server.jobs.device import device_name, lock_of
from server.jobs.runner import JobRunner
from server.metrics import Metrics
from server.models.named import base_model
from server.openapi import describe
from server.parts import Parts, open_parts
from server.policy import check_files, prices_of
from server.progress import WatchedEngine
from server.releasing import first_stage
from server.reports import Reports
from server.request_body import Body
from server.resident import resident_bytes, said
from server.routing import Front, add_routes, generations_of
from server.scope import Scope
from server.services import services_of
from server.shadowing import Shadowing
from server.stack import add_middleware, guard, takes_text_only
from server.stored_responses import StoredResponses
from server.tenancy.principal import Principal, Role
from server.trends import Trends
from server.trials import Shares, Trials

logger = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.0005


class Built(NamedTuple):
    """A server, but for its socket."""

    app: FastAPI
    client: AdaptiveClient
    """Behind vLLM's application."""
    warming: Warming
    """Trains beforehand."""
    batches: BatchWorker
    evals: EvalWorker
    jobs: JobRunner
    trials: Trials
    shadowing: Shadowing
    counts: GenerationCounts
    reload: Callable[[], Awaitable[None]]
    """Puts back into a new engine what was in the old one."""


async def run_server(
    args: argparse.Namespace, settings: Settings, training_threads: int | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; then end the engine, the trainer and the memory.

    The trainer gets as many threads as the engine where it is given no number.
    """
    # Threads that write the database would otherwise hold the event loop up for 5 ms at a time.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    drop_queries()
    check_files(settings, base_model(args.model))
    try:
        address, sock = launch.listen(args)
    except OSError as error:
        where = f"{args.host}:{args.port}"
        raise ConfigError(f"cannot listen on {where}: {error.strerror}") from error
    with sock:
        async with open_parts(args, settings, training_threads) as parts:
            built = await build(parts, args, settings)
            app, client, warming = built.app, built.client, built.warming
            followed = _followed(parts, built, settings)
            following = [asyncio.create_task(each) for each in followed]
            logger.info("ready on %s (routes at %s/docs)", address, address)
            logger.info("resident: %s", said(resident_bytes()))
            try:
                await launch.serve(app, sock, args)
            finally:
                for task in following:
                    task.cancel()
                await asyncio.gather(*following, return_exceptions=True)
                await warming.close()
                await client.end_requests()
                await parts.background.settle()
                await parts.keyring.close()
            if client.errored and not client.is_stopping:
                raise EngineError("the engine died too often: see the log above")


def _followed(parts: Parts, built: Built, settings: Settings) -> list[Coroutine[Any, Any, object]]:
    """Return what goes on beside requests, for as long as the server does."""
    client = built.client
    found: list[Coroutine[Any, Any, object]] = [
        parts.keeper.follow(
            built.reload, partial(launch.end, built.app), lambda: client.is_stopping
        ),
        parts.champions.follow(settings.champion_poll_s),
        built.trials.follow(),
        built.counts.follow(),
        built.batches.follow(),
        built.evals.follow(),
        parts.eraser.follow(),
    ]
    if settings.champion_shadow:
        found.append(built.shadowing.follow())
    if settings.jobs:
        found.append(built.jobs.follow())
    if settings.idle_training:
        found.append(built.warming.follow())
    return found


async def build(
    parts: Parts,
    args: argparse.Namespace,
    settings: Settings,
    registry: CollectorRegistry = REGISTRY,
) -> Built:
    """Return vLLM's application with our routes and middleware, and what works beside it.

    Whet's own series go into `registry`.
    """
    watched = WatchedEngine(parts.engine)
    services = await services_of(parts, watched, args, settings)
    await parts.champions.refresh()
    reports = Reports(parts.memory.completions)
    metrics = Metrics(registry)
    books = _books(parts, reports, metrics, base_model(args.model))
    counts = GenerationCounts(parts.memory.judgements, parts.memory.aside, metrics)
    shares = Shares(settings.champion_shadow, settings.champion_share, settings.champion_holdback)
    trials = Trials(parts.memory, base_model(args.model), shares)
    scope = Scope(parts.champions, parts.memory, trials, settings.champion_least)
    client = AdaptiveClient(
        parts.client,
        partial(answer, services=services),
        scope,
        books.finish,
        books.abandon,
        watched.telling,
        Parsers(args, parts.client),
    )
    most_bytes = settings.max_body_text if takes_text_only(client) else settings.max_body_bytes
    stored = StoredResponses(
        parts.memory, parts.quotas.response_bytes, settings.max_body_items, most_bytes
    )
    app, in_background = await make_app(client, args, runtime_adapters(args, settings), stored)
    occupancy = Occupancy(in_background)
    draining = Draining(settings.notice_s, settings.drain_s, lambda: occupancy.taken)
    client.drain = draining.wait
    wanted = services.wanted or Wanted()
    warming = Warming(services, wanted, scope.hold, lambda: occupancy.taken > 0)
    shadowing = Shadowing(
        parts.memory,
        parts.champions,
        partial(answer, services=services),
        lambda: occupancy.taken > 0,
    )
    client.answered = shadowing.want
    batch_news, stir_batches = _news()
    job_news, stir_jobs = _news()
    eval_news, stir_evals = _news()
    embedder = parts.memory.embedder.id.partition("@")[0]

    async def post(tenant: str, path: str, body: Body) -> httpx.Response:
        return await inside.post(tenant, path, body)

    generations = generations_of(parts, args)
    device_lock = cache(lambda: lock_of(settings.device_locks, device_name()))
    front = Front(
        client=client,
        generations=generations,
        reports=reports,
        warming=warming,
        prices=prices_of(settings),
        stored=stored,
        draining=draining,
        first_stage=first_stage(settings),
        stir_batches=stir_batches,
        stir_jobs=stir_jobs,
        stir_evals=stir_evals,
        device_lock=device_lock,
        door_of=lambda tenant: Door(post, tenant, embedder),
    )
    add_routes(app, parts, args, front)
    parse_once(app, TAKEN_PATHS)
    describe(app)
    install_handlers(app)
    away = Away(lambda: draining.is_closed or client.is_stopping, lambda: parts.keeper.wait_s)
    add_middleware(app, parts, client, occupancy, settings, away, stored, generations)
    inside = Inside(app, guard(app, parts, args, settings, occupancy, away))
    batches = BatchWorker(
        parts.memory, inside.post, batch_news, settings.batch_requests, most_bytes
    )
    evals = EvalWorker(parts.memory, post, eval_news, settings.batch_requests, most_bytes, embedder)
    jobs = JobRunner(
        parts.memory,
        settings,
        job_news,
        device_lock,
        lambda tenant: inside.client(Principal(tenant, Role.ADMIN, in_batch=True)),
    )

    async def reload() -> None:
        await services.loaded.drop_others(())
        await parts.champions.reload()

    return Built(app, client, warming, batches, evals, jobs, trials, shadowing, counts, reload)


def _news() -> tuple[asyncio.Event, Callable[[], object]]:
    """Return an event, and what sets it from any thread."""
    event, loop = asyncio.Event(), asyncio.get_running_loop()
    return event, partial(loop.call_soon_threadsafe, event.set)


def _books(parts: Parts, reports: Reports, metrics: Metrics, model: str) -> Bookkeeper:
    """Return what notes every answer."""
    memory = parts.memory
    trends = Trends(memory.windows, memory.aside, parts.background, metrics)
    parsed = parts.engine.parsed_at_once
    return Bookkeeper(memory.completions, reports, metrics, model, parsed, trends.answered)

"""Composition: every part is built here, once, and passed to those who use it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from fastapi import Depends, FastAPI
from prometheus_client import REGISTRY, CollectorRegistry

from adaptation.engine import Engine
from adaptation.errors import EngineError
from adaptation.fairness import FairShares
from adaptation.learning.loaded import LoadedAdapters
from adaptation.learning.probing import PROBE_TOKENS
from adaptation.learning.trainings import Trainings
from adaptation.learning.wanted import Wanted
from adaptation.learning.warming import Warming
from adaptation.pipeline import answer
from adaptation.prices import Prices
from adaptation.services import Services
from server.access_log import drop_queries
from server.adaptive_client import AdaptiveClient
from server.admission import Away, Occupancy
from server.batches.inside import Inside
from server.batches.worker import BatchWorker
from server.bookkeeping import Bookkeeper
from server.config import ConfigError, Settings
from server.draining import Draining
from server.engine import launch
from server.engine.parsers import Parsers
from server.engine_defaults import UNTRAINABLE, runtime_adapters
from server.errors import install_handlers
from server.gateway.application import make_app
from server.kept_adapters import kept_adapters
from server.metrics import Metrics
from server.models.named import base_model
from server.openapi import describe
from server.parts import Parts, open_parts
from server.policy import check_files, policy_from, prices_of, timed
from server.progress import WatchedEngine
from server.reports import Reports
from server.resident import resident_bytes, said
from server.routes.adapters import adapters_router
from server.routes.batches import batches_router
from server.routes.docs import docs_router
from server.routes.embeddings import embeddings_router
from server.routes.feedback import feedback_router
from server.routes.files import files_router
from server.routes.keys import keys_router
from server.routes.ledger import ledger_router
from server.routes.models import models_router
from server.routes.ready import ready_router
from server.routes.records import records_router
from server.routes.reports import reports_router
from server.routes.responses import responses_router
from server.routes.tenants import tenants_router
from server.routes.unserved import unserved_router
from server.routes.warming import warming_router
from server.same_origin import refuse_cross_site
from server.stack import add_middleware, guard, takes_text_only
from server.trends import Trends
from server.warm_up import warm_up

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
            app, client, warming, batches, reload = await build(parts, args, settings)
            followed = [
                parts.keeper.follow(reload, partial(launch.end, app), lambda: client.is_stopping),
                parts.champions.follow(settings.champion_poll_s),
                batches.follow(),
            ]
            if settings.idle_training:
                followed.append(warming.follow())
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
                raise EngineError("the engine died: see the log above, and start the server again")


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
    services = await _services(parts, watched, args, settings)
    await parts.champions.refresh()
    reports = Reports(parts.memory.completions)
    books = _books(parts, reports, Metrics(registry), base_model(args.model))
    client = AdaptiveClient(
        parts.client,
        partial(answer, services=services),
        parts.champions,
        books.finish,
        books.abandon,
        watched.telling,
        Parsers(args, parts.client),
    )
    app, in_background = await make_app(client, args, runtime_adapters(args, settings))
    occupancy = Occupancy(in_background)
    draining = Draining(settings.notice_s, settings.drain_s, lambda: occupancy.taken)
    client.drain = draining.wait
    wanted = services.wanted or Wanted()
    warming = Warming(services, wanted, parts.champions.hold, lambda: occupancy.taken > 0)
    news, loop = asyncio.Event(), asyncio.get_running_loop()
    stir = partial(loop.call_soon_threadsafe, news.set)
    _add_routes(app, parts, args, client, reports, warming, prices_of(settings), stir, draining)
    describe(app)
    install_handlers(app)
    away = Away(lambda: draining.is_closed or client.is_stopping, lambda: parts.keeper.wait_s)
    add_middleware(app, parts, client, occupancy, settings, away)
    inside = Inside(app, guard(app, parts, args, settings, occupancy, away))
    most_bytes = settings.max_body_text if takes_text_only(client) else settings.max_body_bytes
    batches = BatchWorker(parts.memory, inside.post, news, settings.batch_requests, most_bytes)

    async def reload() -> None:
        await services.loaded.drop_others(())
        await parts.champions.reload()

    return Built(app, client, warming, batches, reload)


async def _services(
    parts: Parts, engine: Engine, args: argparse.Namespace, settings: Settings
) -> Services:
    """Return what a request passes through, once the first adapter has been through all of it."""
    model = base_model(args.model)
    kept = kept_adapters(settings.data_dir, args.model, settings.adapter_cache_mb)
    services = Services(
        kept=kept,
        wanted=Wanted() if kept is not None else None,
        engine=engine,
        memory=parts.memory,
        trainer=parts.trainer,
        leases=parts.leases,
        loaded=LoadedAdapters(engine, parts.leases),
        algebra=parts.algebra,
        background=parts.background,
        rewards=parts.rewards,
        allowance=parts.quotas,
        trainings=Trainings(FairShares(parts.quotas.weight)),
        policy=policy_from(settings, model, parts.trainer.parameters, _may_train(args, settings)),
    )
    if services.policy.may_train:
        step_s = await warm_up(services, PROBE_TOKENS)
        services = replace(services, policy=timed(services.policy, settings, step_s))
    services.rules.warm_up()
    if (found := services.policy.calibration) is not None:
        words = "one sample is enough above a group confidence of %.3f: no vote there"
        logger.info(words, found.bar)
    return services


def _books(parts: Parts, reports: Reports, metrics: Metrics, model: str) -> Bookkeeper:
    """Return what notes every answer."""
    memory = parts.memory
    trends = Trends(memory.windows, memory.aside, parts.background, metrics)
    parsed = parts.engine.parsed_at_once
    return Bookkeeper(memory.completions, reports, metrics, model, parsed, trends.answered)


def _may_train(args: argparse.Namespace, settings: Settings) -> bool:
    """Whether the trainer's copy of the model is the one that is served."""
    differing = [flag for flag in UNTRAINABLE if getattr(args, flag, None)]
    if differing and settings.train_steps != 0:
        flags = ", ".join("--" + flag.replace("_", "-") for flag in differing)
        logger.warning("nothing is trained per request: the trainer does not know %s", flags)
    return settings.train_steps != 0 and not differing


def _add_routes(
    app: FastAPI,
    parts: Parts,
    args: argparse.Namespace,
    client: Any,
    reports: Reports,
    warming: Warming,
    prices: Prices,
    stir: Callable[[], object],
    draining: Draining,
) -> None:
    names = tuple(args.served_model_name or [args.model])
    theirs = list(app.router.routes)
    guarded = [Depends(refuse_cross_site)]
    for router in (
        models_router(
            names,
            client.model_config.max_model_len,
            parts.memory.embedder.id.partition("@")[0],
            created=int(time.time()),
        ),
        embeddings_router(parts.memory.embedder, parts.memory.aside.serving.run),
        ready_router(parts.checks, lambda: not parts.keeper.is_lost, lambda: draining.is_leaving),
        feedback_router(parts.memory, parts.quotas),
        reports_router(reports),
        keys_router(parts.memory.keys, parts.secret, parts.keyring.forget),
        tenants_router(parts.memory.tenants, parts.quotas),
        files_router(parts.memory.files, parts.quotas.files_bytes),
        batches_router(parts.memory.batches, stir),
        ledger_router(parts.memory.ledger, parts.memory.windows, prices),
        records_router(parts.memory),
        warming_router(warming),
        adapters_router(parts.memory),
        docs_router(app, offline=args.enable_offline_docs),
        responses_router(lambda: getattr(app.state, "openai_serving_responses", None)),
        unserved_router(),
    ):
        app.include_router(router, dependencies=guarded)
    ours = [route for route in app.router.routes if route not in theirs]
    app.router.routes[:] = [*ours, *theirs]  # the first match answers: ours before vLLM's

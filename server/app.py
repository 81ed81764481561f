"""Composition: every part is built here, once, and passed to those who use it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple

from fastapi import FastAPI
from prometheus_client import REGISTRY, CollectorRegistry

from adaptation.errors import EngineError
from adaptation.learning.wanted import Wanted
from adaptation.learning.warming import Warming
from server.adapters.releasing import first_stage
from server.adapters.shadowing import Shadowing
from server.adaptive_client import AdaptiveClient
from server.answering import Answering, answering_of
from server.batches.inside import Inside
from server.config import ConfigError, Settings
from server.engine import launch
from server.gateway.application import make_app
from server.gateway.routes import parse_once
from server.http.adaptation_middleware import TAKEN_PATHS
from server.http.admission import Occupancy
from server.http.draining import Draining
from server.http.report_headers import named
from server.jobs.device import check_devices
from server.models.named import base_model
from server.offline import Offline, offline_of
from server.openapi import describe
from server.overview import Overview
from server.parts import Parts, open_parts
from server.policy import check_files, prices_of
from server.refusals.errors import install_handlers
from server.requests.models_asked import models_asked
from server.resident import resident_bytes, said
from server.routing import Front, add_routes, generations_of
from server.stack import add_layers, takes_text_only
from server.startup.early import cannot_listen
from server.startup.engine_defaults import runtime_adapters
from server.startup.starting import Start
from server.stored_responses import StoredResponses

logger = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.0005


class Built(NamedTuple):
    """A server, but for its socket."""

    app: FastAPI
    answering: Answering
    warming: Warming
    """Trains beforehand."""
    shadowing: Shadowing
    offline: Offline
    reload: Callable[[], Awaitable[None]]
    """Puts back into a new engine what was in the old one."""


async def run_server(
    args: argparse.Namespace,
    settings: Settings,
    start: Start,
    training_threads: int | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; then end the engine, the trainer and the memory.

    The trainer gets as many threads as the engine where it is given no number.
    """
    # Threads that write the database would otherwise hold the event loop up for 5 ms at a time.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    check_files(settings, base_model(args.model))
    check_devices(settings)
    address, sock = _listen(args)
    with sock:
        async with open_parts(args, settings, training_threads) as parts:
            start.stage("trying a training and the first tokens")
            built = await build(parts, args, settings)
            app, client, warming = built.app, built.answering.client, built.warming
            followed = _followed(parts, built, settings)
            following = [asyncio.create_task(each) for each in followed]
            logger.info("resident: %s", said(resident_bytes()))
            if held := parts.on_accelerator:
                logger.info("on the accelerator: %s", said(held))
            paths = {getattr(route, "path", "") for route in app.routes}
            start.ready(address, paths)
            try:
                await launch.serve(
                    app, sock, args, settings.body_timeout_s, named(settings.replica)
                )
            finally:
                for task in following:
                    task.cancel()
                await asyncio.gather(*following, return_exceptions=True)
                await warming.close()
                await client.end_requests()
                await parts.background.settle()
                await parts.quotas.close()
                await parts.keyring.close()
            if client.errored and not client.is_stopping:
                raise EngineError("the engine died too often: see the log above")


def _listen(args: argparse.Namespace) -> tuple[str, socket.socket]:
    """Bind the port; return the address as this machine can ask it, and the socket."""
    try:
        address, sock = launch.listen(args)
    except OSError as error:
        raise ConfigError(cannot_listen(args.host, args.port, error)) from error
    except KeyError as error:  # vLLM's, of a parser that it does not have
        raise ConfigError(error.args[0]) from error
    scheme, _, host = address.rpartition(":")[0].partition("://")
    local = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
    return f"{scheme}://{local}:{sock.getsockname()[1]}", sock  # of port 0, the one it became


def _followed(parts: Parts, built: Built, settings: Settings) -> list[Coroutine[Any, Any, object]]:
    """Return what goes on beside requests, for as long as the server does."""
    answering, offline = built.answering, built.offline
    found: list[Coroutine[Any, Any, object]] = [
        parts.keeper.follow(
            built.reload, partial(launch.end, built.app), lambda: answering.client.is_stopping
        ),
        parts.champions.follow(settings.champion_poll_s),
        answering.trials.follow(),
        answering.counts.follow(),
        offline.batches.follow(),
        offline.evals.follow(),
        parts.eraser.follow(),
    ]
    if (settling := parts.quotas.settling) is not None:
        found.append(settling.follow())
    if settings.champion_shadow:
        found.append(built.shadowing.follow())
    if settings.jobs:
        found.append(offline.jobs.follow())
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
    answering = await answering_of(parts, args, settings, registry)
    client, inside = answering.client, Inside()
    most_bytes = settings.max_body_text if takes_text_only(client) else settings.max_body_bytes
    most_items, most_stored = settings.max_body_items, parts.quotas.response_bytes
    stored = StoredResponses(parts.memory, most_stored, most_items, most_bytes)
    app, in_background = await make_app(client, args, runtime_adapters(args, settings), stored)
    occupancy = Occupancy(in_background)
    if parts.quotas.settling is not None:
        parts.quotas.settling.in_background = occupancy.in_background_of
    warming, shadowing = _idle(parts, answering, occupancy)
    generations = generations_of(parts, args)
    models = models_asked(parts.memory, generations, app.state)
    offline = offline_of(parts, settings, inside, models, most_bytes)
    front = Front(
        client=client,
        generations=generations,
        models=models,
        reports=answering.reports,
        warming=warming,
        prices=prices_of(settings),
        stored=stored,
        draining=_draining(client, occupancy, settings),
        first_stage=first_stage(settings),
        offline=offline,
        live=answering.live,
        overview=_overview(parts, args, settings),
        metrics=answering.metrics,
    )
    add_routes(app, parts, args, front)
    parse_once(app, TAKEN_PATHS)
    describe(app)
    install_handlers(app)
    inside.lead_to(app, add_layers(app, parts, args, settings, occupancy, front))
    return Built(app, answering, warming, shadowing, offline, partial(_reload, parts, answering))


def _overview(parts: Parts, args: argparse.Namespace, settings: Settings) -> Overview:
    """Return what the console shows first."""
    names, base = args.served_model_name or [args.model], base_model(args.model)
    return Overview(parts.memory, parts.champions, settings, names, base)


def _idle(parts: Parts, answering: Answering, occupancy: Occupancy) -> tuple[Warming, Shadowing]:
    """Return what is done for requests to come, and for answers given, while nobody asks."""
    services, is_busy = answering.services, lambda: occupancy.taken > 0
    warming = Warming(services, services.wanted or Wanted(), answering.scope.hold, is_busy)
    shadowing = Shadowing(parts.memory, parts.champions, answering.answer, is_busy)
    answering.client.answered = shadowing.want
    return warming, shadowing


def _draining(client: AdaptiveClient, occupancy: Occupancy, settings: Settings) -> Draining:
    """Return what lets requests end before the server does."""
    draining = Draining(settings.notice_s, settings.drain_s, lambda: occupancy.taken)
    client.drain = draining.wait
    return draining


async def _reload(parts: Parts, answering: Answering) -> None:
    await answering.services.loaded.drop_others(())
    await parts.champions.reload()

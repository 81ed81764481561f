"""What answers requests: the pipeline with what it needs, and who notes what came of each."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry

from adaptation.pipeline import answer
from adaptation.services import Services
from adaptation.types import Outcome, Query
from server.adapters.generations import GenerationCounts
from server.adapters.scope import Scope
from server.adapters.trends import Trends
from server.adapters.trials import Shares, Trials
from server.adaptive_client import AdaptiveClient
from server.config import Settings
from server.engine.parsers import Parsers
from server.models.named import base_model
from server.parts import Parts
from server.services import services_of
from server.telemetry.adapters_served import AdaptersServed
from server.telemetry.bookkeeping import Bookkeeper
from server.telemetry.live import Live
from server.telemetry.metrics import Actors, Metrics, TenantUse
from server.telemetry.progress import WatchedEngine
from server.telemetry.reports import Reports
from server.telemetry.telemetry import Watched


@dataclass(frozen=True)
class Answering:
    """What requests are answered by."""

    client: AdaptiveClient
    """Behind vLLM's application."""
    services: Services
    answer: Callable[[Query], Awaitable[Outcome]]
    """The pipeline."""
    scope: Scope
    trials: Trials
    reports: Reports
    metrics: Metrics
    counts: GenerationCounts
    live: Live


async def answering_of(
    parts: Parts, args: argparse.Namespace, settings: Settings, registry: CollectorRegistry
) -> Answering:
    """Build it once the engine has been through all of it; Whet's series go into `registry`."""
    memory, model = parts.memory, base_model(args.model)
    watched = WatchedEngine(parts.engine)
    services = await services_of(parts, watched, args, settings)
    await parts.champions.refresh()
    reports, metrics = Reports(memory.completions), _metrics(parts, settings, registry)
    shares = Shares(settings.champion_shadow, settings.champion_share, settings.champion_holdback)
    trials = Trials(memory, model, shares)
    scope = Scope(parts.champions, memory, trials, settings.champion_least)
    books = _books(parts, reports, metrics, model)
    pipeline = partial(answer, services=services)
    live = Live(pipeline, model)
    client = AdaptiveClient(
        parts.client,
        live.answer,
        scope,
        books.finish,
        books.abandon,
        watched.telling,
        Parsers(args, parts.client),
        partial(_watch, parts),
    )
    counts = GenerationCounts(memory.judgements, memory.aside, metrics)
    return Answering(client, services, pipeline, scope, trials, reports, metrics, counts, live)


def _watch(parts: Parts, query: Query) -> AbstractContextManager[Watched]:
    """Have a prompt watched while it is answered."""
    return parts.telemetry.answer(query, len(parts.engine.prompt_ids(query) or ()))


def _metrics(parts: Parts, settings: Settings, registry: CollectorRegistry) -> Metrics:
    """Return Whet's own series; those of tenants are there where the operator asks for them."""
    if settings.tenant_metrics:
        parts.quotas.use = TenantUse(registry)
    if settings.trainer == "ray":
        Actors(lambda: parts.trainer.standing, registry)
    champions = parts.champions
    shown = AdaptersServed(settings.max_champions, champions.loaded, champions.awaited)
    registry.register(shown)
    return Metrics(registry)


def _books(parts: Parts, reports: Reports, metrics: Metrics, model: str) -> Bookkeeper:
    """Return what notes every answer."""
    memory = parts.memory
    trends = Trends(memory.windows, memory.aside, parts.background, metrics)
    engine = parts.engine
    return Bookkeeper(
        memory.completions,
        reports,
        metrics,
        model,
        engine.parsed_at_once,
        engine.prompt_ids,
        trends.answered,
    )

"""Which of Whet's routes there are, and in what order they stand with vLLM's."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from adaptation.learning.warming import Warming
from adaptation.prices import Prices
from memory.versions.release import Stage
from server.adapters.versioned import Generations
from server.console.page import Page
from server.gateway.item_check import refuse_wrong_items
from server.http.adaptation_middleware import ADAPTED_PATHS
from server.http.draining import Draining
from server.http.same_origin import refuse_cross_site
from server.models.named import base_model
from server.offline import Offline
from server.overview import Overview
from server.parts import Parts
from server.requests.models_asked import ModelsAsked
from server.routes.adapters import adapters_router
from server.routes.batches import batches_router
from server.routes.console import console_router
from server.routes.conversations import conversations_router
from server.routes.docs import docs_router
from server.routes.elsewhere import Elsewhere
from server.routes.embeddings import embeddings_router
from server.routes.erasure import erasure_router
from server.routes.eval_runs import eval_runs_router
from server.routes.evals import evals_router
from server.routes.feedback import feedback_router
from server.routes.files import files_router
from server.routes.fine_tuning import Served, fine_tuning_router
from server.routes.graders import graders_router
from server.routes.jobs import asked_of_served, jobs_router
from server.routes.keys import keys_router
from server.routes.ledger import ledger_router
from server.routes.models import models_router
from server.routes.ready import ready_router
from server.routes.records import records_router
from server.routes.reports import reports_router
from server.routes.responses import responses_router
from server.routes.tenants import tenants_router
from server.routes.trace import trace_router
from server.routes.traces import traces_router
from server.routes.unserved import unserved_router
from server.routes.warming import warming_router
from server.stored_responses import StoredResponses
from server.telemetry.live import Live
from server.telemetry.metrics import Metrics
from server.telemetry.reports import Reports


@dataclass(frozen=True)
class Front:
    """What routes are built of, beside the parts."""

    client: Any
    """Behind vLLM's application."""
    generations: Generations
    models: ModelsAsked
    reports: Reports
    warming: Warming
    prices: Prices
    stored: StoredResponses
    draining: Draining
    first_stage: Stage
    """Where a version begins that may be released."""
    offline: Offline
    live: Live
    overview: Overview
    metrics: Metrics


def add_routes(app: FastAPI, parts: Parts, args: argparse.Namespace, front: Front) -> None:
    """Put our routes before vLLM's, but for those that are asked most."""
    theirs = list(app.router.routes)
    guarded = [Depends(refuse_cross_site)]
    for router in (
        *_openais(app, parts, args, front),
        *_offline(parts, args, front),
        *_whets(parts, front),
        console_router(Page(), front.overview),
        docs_router(app, offline=args.enable_offline_docs),
        unserved_router(),
    ):
        app.include_router(router, dependencies=guarded)
    busiest = [route for route in theirs if _is_busiest(route)]
    ours = [route for route in app.router.routes if route not in theirs]
    answered = {place for route in ours for place in _places(route)}
    others = [route for route in theirs if route not in busiest and not _is_among(answered, route)]
    # The first match answers: ours before vLLM's, but nobody's most asked ones behind sixty others.
    app.router.routes[:] = [*busiest, *ours, *others]


def _openais(app: FastAPI, parts: Parts, args: argparse.Namespace, front: Front) -> list[APIRouter]:
    """Return OpenAI's routes that are answered at once."""
    memory = parts.memory
    return [
        models_router(
            _names(args),
            front.client.model_config.max_model_len,
            memory.embedder.id.partition("@")[0],
            int(time.time()),
            memory.models,
            front.generations,
        ),
        embeddings_router(
            memory.embedder, memory.aside.embedding, memory.aside.counting, parts.quotas.spent
        ),
        files_router(memory.files, parts.quotas.files_bytes),
        responses_router(
            memory.responses,
            front.stored,
            lambda: getattr(app.state, "openai_serving_responses", None),
        ),
        conversations_router(memory.conversations, refuse_wrong_items, parts.quotas.response_bytes),
    ]


def _offline(parts: Parts, args: argparse.Namespace, front: Front) -> list[APIRouter]:
    """Return the routes of what is done while nobody waits."""
    memory, offline = parts.memory, front.offline
    served = Served(
        _names(args),
        args.model,
        base_model(args.model),
        parts.template,
        front.client.model_config.max_model_len,
    )
    distilled = partial(asked_of_served, args.model, parts.template)
    return [
        batches_router(memory.batches, offline.stir_batches),
        fine_tuning_router(memory, served, front.models, offline.stir_jobs),
        jobs_router(memory, distilled, front.models, offline.device_lock, offline.stir_jobs),
        graders_router(offline.door_of, front.models),
        evals_router(memory.evals, memory.aside, front.models, offline.stir_evals),
        eval_runs_router(memory, front.models, offline.stir_evals),
    ]


def _whets(parts: Parts, front: Front) -> list[APIRouter]:
    """Return Whet's own routes."""
    memory, draining = parts.memory, front.draining
    aside, elsewhere = memory.aside, Elsewhere(is_shared=memory.is_shared)
    return [
        ready_router(parts.checks, lambda: not parts.keeper.is_lost, lambda: draining.is_leaving),
        feedback_router(memory, parts.quotas, elsewhere),
        reports_router(front.reports, aside, elsewhere),
        keys_router(memory.keys, parts.secret, parts.keyring.forget),
        tenants_router(memory, parts.quotas),
        ledger_router(memory.ledger, memory.windows, front.prices),
        records_router(memory, parts.quotas),
        erasure_router(memory, parts.eraser),
        trace_router(memory.lineage, aside, elsewhere),
        traces_router(
            memory,
            front.live,
            lambda: draining.is_closed or front.client.is_stopping,
            parts.keyring.still_admits,
            elsewhere,
        ),
        warming_router(front.warming),
        adapters_router(memory, front.first_stage),
    ]


def generations_of(parts: Parts, args: argparse.Namespace) -> Generations:
    """Return the generations on the base that is served."""
    return Generations(parts.memory.adapters, base_model(args.model), _names(args))


def _names(args: argparse.Namespace) -> tuple[str, ...]:
    """Return what clients call the base."""
    return tuple(args.served_model_name or [args.model])


def _is_busiest(route: BaseRoute) -> bool:
    return any(path in ADAPTED_PATHS and method == "POST" for path, method in _places(route))


def _is_among(answered: set[tuple[str, str]], route: BaseRoute) -> bool:
    """Whether others answer all that a route would."""
    return bool(_places(route)) and _places(route) <= answered


def _places(route: BaseRoute) -> set[tuple[str, str]]:
    """Return what a route answers: paths and methods, none where it is another kind of route."""
    if not isinstance(route, APIRoute):
        return set()
    return {(route.path, method) for method in route.methods}

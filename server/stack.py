"""The layers around vLLM's application, and the order they stand in.

From outside: the log, the turnstile, the error shape, the check of keys, vLLM's own layers, then
what reads bodies, gives out places, keeps streams alive and takes options off.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from server.config import Settings
from server.http.adaptation_middleware import AdaptationMiddleware
from server.http.admission import Admission, Away, Occupancy, Turnstile
from server.http.body_limits import BodyLimits
from server.http.keep_alive import KeepAlive
from server.parts import Parts
from server.refusals.error_shape import OpenAIErrorShape
from server.routing import Front
from server.telemetry.request_log import LogRules, RequestLog
from server.tenancy.authentication import Authentication
from server.tenancy.doors import Doors
from server.tenancy.trust import trust_of


def add_layers(
    app: FastAPI,
    parts: Parts,
    args: argparse.Namespace,
    settings: Settings,
    occupancy: Occupancy,
    front: Front,
) -> ASGIApp:
    """Put all layers around the `app`; return what is behind the check of keys."""
    draining, client = front.draining, front.client
    away = Away(lambda: draining.is_closed or client.is_stopping, lambda: parts.keeper.wait_s)
    _add_innermost(app, parts, settings, occupancy, away, front)
    turnstile = partial(
        Turnstile,
        places=settings.max_concurrent_requests,
        occupancy=occupancy,
        away=away,
        refused=front.metrics.observe_refusal,
    )
    return _guard(app, parts, args, settings, turnstile)


def _add_innermost(
    app: FastAPI,
    parts: Parts,
    settings: Settings,
    occupancy: Occupancy,
    away: Away,
    front: Front,
) -> None:
    """Put ours behind vLLM's."""
    app.user_middleware += [
        Middleware(BodyLimits, settings=settings, text_only=takes_text_only(front.client)),
        Middleware(
            Admission,
            places=settings.max_concurrent_requests,
            occupancy=occupancy,
            quotas=parts.quotas,
            away=away,
            refused=front.metrics.observe_refusal,
        ),
        Middleware(KeepAlive, interval_s=app.state.args.sse_keep_alive_interval),
        Middleware(
            AdaptationMiddleware,
            settings=settings,
            salt_of=parts.secret.salt_of,
            recall=front.stored.recall,
            models=front.models,
        ),
    ]


def _guard(
    app: FastAPI,
    parts: Parts,
    args: argparse.Namespace,
    settings: Settings,
    turnstile: Callable[[ASGIApp], ASGIApp],
) -> ASGIApp:
    """Build the stack, which vLLM has built already, anew: the check of keys around all of it,
    the error shape around that, and before both the turnstile. Return what is behind the check.
    """
    doors, trust = Doors(app.router.routes), trust_of(args, settings)
    inner = app.build_middleware_stack()
    guarded = Authentication(inner, doors, parts.keyring, trust)
    rules, most_bytes = _log_rules(args, settings), settings.max_body_bytes
    telemetry = parts.telemetry
    telemetry.route_of = doors.pattern_of
    settled = () if parts.usage is None else (parts.usage.settled,)
    outside = turnstile(OpenAIErrorShape(guarded, most_bytes))
    app.middleware_stack = RequestLog(outside, rules, telemetry, settled)
    return RequestLog(OpenAIErrorShape(inner, most_bytes), rules, telemetry, settled)


def _log_rules(args: argparse.Namespace, settings: Settings) -> LogRules:
    """Return how requests are logged: vLLM's flags for an access log keep their meaning."""
    quiet = (args.disable_access_log_for_endpoints or "").split(",")
    return LogRules(
        is_on=not args.disable_uvicorn_access_log,
        with_content=settings.log_content,
        quiet=frozenset(path.strip() for path in quiet),
    )


def takes_text_only(client: Any) -> bool:
    """Whether an image, which is large, would be refused anyway."""
    return not client.model_config.is_multimodal_model

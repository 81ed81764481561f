"""Traces and metrics by OpenTelemetry, with the names of its GenAI conventions.

Only times, names and counts: no question, no answer, no message of an exception.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry.context import get_current
from opentelemetry.metrics import MeterProvider
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context, use_span
from starlette.datastructures import Headers
from starlette.types import Scope

from adaptation.report import Report
from adaptation.types import Outcome, Query
from server.telemetry import conventions as names
from server.telemetry.notes import RequestNote
from server.telemetry.telemetry import Telemetry, Watched

Attributes = dict[str, Any]
_HANDED_DOWN = frozenset({b"traceparent", b"tracestate"})


class Meters:
    """What is counted."""

    def __init__(self, provider: MeterProvider) -> None:
        meter = provider.get_meter(names.WHET)
        self.requests = meter.create_histogram(
            names.REQUEST_DURATION,
            "s",
            "Seconds until a prompt is answered",
            explicit_bucket_boundaries_advisory=names.SECONDS,
        )
        self.tokens = meter.create_histogram(
            names.TOKEN_USAGE,
            "{token}",
            "Tokens of prompts, and those generated for them, votes that lost included",
            explicit_bucket_boundaries_advisory=names.TOKENS,
        )
        self.steps = meter.create_histogram(
            names.STEP_DURATION,
            "s",
            "Seconds in each step of an answer",
            explicit_bucket_boundaries_advisory=names.SECONDS,
        )
        self.http = meter.create_histogram(
            names.HTTP_DURATION,
            "s",
            "Seconds of HTTP requests",
            explicit_bucket_boundaries_advisory=names.HTTP_SECONDS,
        )


class OpenTelemetry(Telemetry):
    """Tells an OpenTelemetry SDK."""

    def __init__(
        self,
        tracers: TracerProvider,
        meters: MeterProvider,
        model: str = "",
        *,
        hands_down: bool = False,
        shut_down: Callable[[], object] = lambda: None,
    ) -> None:
        """`hands_down` says that whoever answers a request traces too; `shut_down` ends both
        providers."""
        self._tracer: Tracer = tracers.get_tracer(names.WHET)
        self._meters = Meters(meters)
        self._model, self._hands_down, self._shut_down = model, hands_down, shut_down

    @contextmanager
    def request(self, note: RequestNote, scope: Scope) -> Iterator[Scope]:
        """See `Telemetry.request`; a client's `traceparent` is gone on with."""
        route = self.route_of(scope) if self.route_of else None
        is_known = note.method in names.METHODS
        word, method = (note.method,) * 2 if is_known else ("HTTP", names.OTHER_METHOD)
        asked: Attributes = {names.METHOD: method, names.SCHEME: scope.get("scheme", "http")}
        asked |= {names.ROUTE: route} if route else {}
        span = self._tracer.start_span(
            f"{word} {route}" if route else word,
            extract(Headers(scope=scope), get_current()),
            SpanKind.SERVER,
            {**asked, names.PATH: note.path, "whet.request.id": note.id},
        )
        if (context := span.get_span_context()).trace_flags.sampled:
            note.trace_id = f"{context.trace_id:032x}"
        began = time.monotonic()
        try:
            with use_span(span, record_exception=False, set_status_on_exception=False):
                yield _below(scope, hands_down=self._hands_down)
        finally:
            ended = _ended(note)
            who = {names.CLIENT: note.client, "whet.tenant": note.tenant}
            span.set_attributes({**ended, **{k: v for k, v in who.items() if v is not None}})
            if names.ERROR_TYPE in ended:
                span.set_status(StatusCode.ERROR)
            span.end()
            self._meters.http.record(time.monotonic() - began, {**asked, **ended})

    @contextmanager
    def answer(self, query: Query, prompt_tokens: int) -> Iterator[Watched]:
        """See `Telemetry.answer`."""
        is_text = query.id.startswith("cmpl-")
        what = {
            names.OPERATION: names.TEXT_COMPLETION if is_text else names.CHAT,
            names.PROVIDER: names.WHET,
            names.REQUEST_MODEL: self._model,
        }
        span = self._tracer.start_span(
            f"{what[names.OPERATION]} {self._model}", attributes={**what, **_asked(query)}
        )
        span.set_attribute(names.INPUT_TOKENS, prompt_tokens)
        self._meters.tokens.record(prompt_tokens, {**what, names.TOKEN_TYPE: "input"})
        watched = _Span(span, self._tracer, self._meters, what)
        began, error = time.monotonic(), Attributes()
        try:
            yield watched
        except BaseException as raised:
            error = _failed(span, raised)
            raise
        finally:
            span.end()
            self._meters.requests.record(time.monotonic() - began, {**what, **error})

    @contextmanager
    def work(self, name: str, **facts: str) -> Iterator[None]:
        """See `Telemetry.work`."""
        found = {f"whet.{key}": value for key, value in facts.items()}
        span = self._tracer.start_span(name, attributes=found)
        try:
            with use_span(span, record_exception=False, set_status_on_exception=False):
                yield
        except BaseException as raised:
            _failed(span, raised)
            raise
        finally:
            span.end()

    def headers(self) -> Mapping[str, str]:
        """See `Telemetry.headers`."""
        carrier: dict[str, str] = {}
        inject(carrier)
        return carrier

    def close(self) -> None:
        """See `Telemetry.close`."""
        self._shut_down()


class _Span(Watched):
    """A prompt's span, above those of its steps."""

    def __init__(self, span: Span, tracer: Tracer, meters: Meters, what: Mapping[str, str]) -> None:
        self._span, self._tracer, self._meters, self._what = span, tracer, meters, what
        # Passed on by hand: a stream's steps are not all taken in one context.
        self._context = set_span_in_context(span)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """See `Watched.step`."""
        operation = {names.OPERATION: names.OPERATIONS[name]} if name in names.OPERATIONS else {}
        found = {"whet.step": name, **operation}
        span = self._tracer.start_span(names.SPANS.get(name, name), self._context, attributes=found)
        began = time.monotonic()
        try:
            yield
        except BaseException as raised:
            _failed(span, raised)
            raise
        finally:
            span.end()
            self._meters.steps.record(time.monotonic() - began, {"whet.step": name})

    def ended(self, outcome: Outcome) -> None:
        """See `Watched.ended`."""
        report = outcome.report
        reasons = [sample.finish_reason or "" for sample in outcome.samples]
        self._span.set_attributes(
            {
                **_told(report),
                names.FINISH_REASONS: reasons,
                names.OUTPUT_TOKENS: report.tokens.generated,
                names.REASONING_TOKENS: report.tokens.losing + report.tokens.cancelled,
                names.RESPONSE_MODEL: self._what[names.REQUEST_MODEL],
            }
        )
        for verdict in report.verification or ():
            label = "passed" if verdict.passed else "failed"
            self._span.add_event(
                names.EVALUATION,
                {names.EVALUATION_NAME: verdict.type, names.EVALUATION_LABEL: label},
            )
        output = {**self._what, names.TOKEN_TYPE: "output"}
        self._meters.tokens.record(report.tokens.generated, output)


def _asked(query: Query) -> Attributes:
    """Return what a prompt asks for besides its text."""
    found: Attributes = {names.RESPONSE_ID: query.id, "whet.tenant": query.tenant}
    found["whet.strategy.requested"] = str(query.options.strategy)
    if query.choices != 1:
        found[names.CHOICES] = query.choices
    if query.seed is not None:
        found[names.SEED] = query.seed
    if query.json_output:
        found[names.OUTPUT_TYPE] = "json"
    if query.base is not None:
        found["whet.champion"] = query.base.version
    return found


def _told(report: Report) -> Attributes:
    """Return what a report says in names and counts."""
    found: Attributes = {
        "whet.strategy": str(report.strategy),
        "whet.stop_reason": str(report.stop_reason),
        **{f"whet.samples.{name}": n for name, n in report.samples.model_dump().items()},
        **{f"whet.tokens.{name}": n for name, n in report.tokens.model_dump().items()},
    }
    if report.agreement is not None:
        found["whet.agreement"] = report.agreement
    if report.neighbours is not None:
        found[names.RECORD_COUNT] = len(report.neighbours)
    if report.adapter is not None:
        found["whet.adapter.accepted"] = report.adapter.accepted
        found["whet.adapter.steps"] = report.adapter.steps
    if report.memory is not None and report.memory.saved is not None:
        found[names.RECORD_ID] = report.memory.saved
        found["whet.memory.state"] = str(report.memory.state)
    return found


def _ended(note: RequestNote) -> Attributes:
    """Return how a request ended; a client's mistakes are no errors of the server."""
    found: Attributes = {} if note.status is None else {names.STATUS: note.status}
    if note.has_left:
        return {**found, names.ERROR_TYPE: "client_left"}
    if not note.is_whole:
        return {**found, names.ERROR_TYPE: "cut"}
    if (note.status or 0) >= 500:
        return {**found, names.ERROR_TYPE: str(note.status)}
    return found


def _failed(span: Span, raised: BaseException) -> Attributes:
    """Say that something ended early, and by what kind of error; it may quote what was asked."""
    given_up = isinstance(raised, asyncio.CancelledError | GeneratorExit)
    kind = "cancelled" if given_up else type(raised).__qualname__
    span.set_attribute(names.ERROR_TYPE, kind)
    if not given_up:
        span.set_status(StatusCode.ERROR)
    return {names.ERROR_TYPE: kind}


def _below(scope: Scope, *, hands_down: bool) -> Scope:
    """Return a scope that names the span under way, or none: who does not trace warns of that."""
    carrier: dict[str, str] = {}
    if hands_down:
        inject(carrier)
    ours = [(name.encode(), value.encode()) for name, value in carrier.items()]
    others = [header for header in scope["headers"] if header[0] not in _HANDED_DOWN]
    return {**scope, "headers": others + ours}

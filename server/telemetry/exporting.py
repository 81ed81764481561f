"""Where traces and metrics go: to the collector that a flag or OpenTelemetry's variables name.

Nothing of OpenTelemetry is imported where none is named.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from threading import Thread
from typing import Any, NamedTuple

from server.config import ConfigError, Settings
from server.telemetry.telemetry import Telemetry
from server.version import installed_version

logger = logging.getLogger(__name__)

PREFIX = "OTEL_EXPORTER_OTLP"
DISABLED, SERVICE = "OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME"
HTTP, GRPC = "http/protobuf", "grpc"
CLOSING_S = 3.0
"""For what was not sent yet when the server ends."""
MISSING = "traces and metrics need OpenTelemetry: `pip install 'whet[otel]'`"


class Target(NamedTuple):
    """Where one of the two goes."""

    endpoint: str
    protocol: str = HTTP
    insecure: bool | None = None
    """Whether gRPC speaks without TLS; None: as the address says."""


class Collector(NamedTuple):
    """Where both go; None: nowhere."""

    traces: Target | None
    metrics: Target | None


def collector_of(
    settings: Settings, environment: Mapping[str, str], vllm_traces: str | None = None
) -> Collector:
    """Return where traces and metrics go; raises `ConfigError`.

    A flag wins over variables. Where neither says so, traces go with vLLM's own, as those are sent.
    """
    if environment.get(DISABLED, "").lower() == "true":
        return Collector(None, None)
    traces, metrics = (_target(each, settings, environment) for each in ("TRACES", "METRICS"))
    if traces is None and vllm_traces is not None:
        protocol = environment.get(f"{PREFIX}_TRACES_PROTOCOL", GRPC)
        traces = Target(vllm_traces, protocol, insecure=True if protocol == GRPC else None)
    return Collector(traces, metrics)


def _target(signal: str, settings: Settings, environment: Mapping[str, str]) -> Target | None:
    """Return where the flag, or the specification's variables, have a signal sent."""
    if environment.get(f"OTEL_{signal}_EXPORTER") == "none":
        return None
    base = settings.otlp_endpoint or environment.get(f"{PREFIX}_ENDPOINT")
    own = None if settings.otlp_endpoint else environment.get(f"{PREFIX}_{signal}_ENDPOINT")
    general = environment.get(f"{PREFIX}_PROTOCOL", HTTP)
    protocol = environment.get(f"{PREFIX}_{signal}_PROTOCOL", general)
    if own is None and base is not None and protocol == HTTP:
        own = f"{base.rstrip('/')}/v1/{signal.lower()}"
    endpoint = own or base
    if endpoint is None:
        return None
    if protocol not in (HTTP, GRPC):
        raise ConfigError(f"{PREFIX}_PROTOCOL: {protocol} is none of {HTTP} and {GRPC}")
    return Target(endpoint, protocol)


def telemetry_of(settings: Settings, model: str = "", vllm_traces: str | None = None) -> Telemetry:
    """Return what tells the collector, or nobody; raises `ConfigError`."""
    collector = collector_of(settings, os.environ, vllm_traces)
    if collector == (None, None):
        return Telemetry()
    try:
        return _telling(collector, model, hands_down=vllm_traces is not None)
    except ImportError as error:
        if settings.otlp_endpoint:
            raise ConfigError(MISSING) from error
        logger.warning("%s; none are sent", MISSING)
        return Telemetry()


def _telling(collector: Collector, model: str, *, hands_down: bool) -> Telemetry:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    from server.telemetry.otel import OpenTelemetry

    named = {} if SERVICE in os.environ else {"service.name": "whet"}
    resource = Resource.create({"service.version": installed_version(), **named})
    sampler = ALWAYS_OFF if collector.traces is None else None  # None: as the variables say
    tracers, readers = TracerProvider(sampler, resource, shutdown_on_exit=False), []
    if (target := collector.traces) is not None:
        tracers.add_span_processor(BatchSpanProcessor(_exporter(target, "trace", "OTLPSpan")))
    if (target := collector.metrics) is not None:
        readers.append(PeriodicExportingMetricReader(_exporter(target, "metric", "OTLPMetric")))
    meters = MeterProvider(readers, resource, shutdown_on_exit=False)
    for what, target in collector._asdict().items():
        if target is not None:
            logger.info("%s go to %s", what, target.endpoint)
    shut_down = partial(_end, (tracers.shutdown, meters.shutdown))
    return OpenTelemetry(tracers, meters, model, hands_down=hands_down, shut_down=shut_down)


def _end(shut_downs: Sequence[Callable[[], object]]) -> None:
    """Hand over what is left, all at once; a collector that does not answer holds no stop up."""
    threads = [Thread(target=each, daemon=True) for each in shut_downs]
    for thread in threads:
        thread.start()
    until = time.monotonic() + CLOSING_S
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


def _exporter(target: Target, signal: str, name: str) -> Any:
    """Make an exporter; raises `ImportError` where its package is not installed."""
    over = "grpc" if target.protocol == GRPC else "http"
    module = import_module(f"opentelemetry.exporter.otlp.proto.{over}.{signal}_exporter")
    secured = {} if target.insecure is None else {"insecure": target.insecure}
    return getattr(module, f"{name}Exporter")(endpoint=target.endpoint, **secured)

"""Traces and metrics arrive at a collector, over HTTP and as the specification has them."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import decompress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from server.config import ConfigError, Settings
from server.settings.setting_sources import resolve
from server.telemetry.exporting import Collector, Target, collector_of, telemetry_of
from server.telemetry.request_log import LogRules, RequestLog
from server.telemetry.telemetry import Telemetry
from tests.server.composed import MODEL, Reply, composed
from tests.server.telemetry_lines import logged
from tests.server.test_jobs_evaluate import ASKED, ended

BASE, CHAT = "http://127.0.0.1:4318", "/v1/chat/completions"
GENERAL, TRACES = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
BOTH = Collector(Target(f"{BASE}/v1/traces"), Target(f"{BASE}/v1/metrics"))
pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")


class Received:
    """What a collector was sent."""

    def __init__(self) -> None:
        self.spans: list[tuple[dict[str, str], Any]] = []
        """Each with its resource's attributes."""
        self.metrics: set[str] = set()
        self.headers: list[dict[str, str]] = []

    def take(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                who = {
                    each.key: each.value.string_value for each in of_resource.resource.attributes
                }
                self.spans += [(who, s) for scope in of_resource.scope_spans for s in scope.spans]
        elif path == "/v1/metrics":
            for of_resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.metrics |= {
                    m.name for scope in of_resource.scope_metrics for m in scope.metrics
                }

    def names(self) -> set[str]:
        return {span.name for _, span in self.spans}


@contextmanager
def receiving() -> Iterator[tuple[str, Received]]:
    """Run a collector; yields its address and what it is sent."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = decompress(body)
            received.headers.append({name.lower(): value for name, value in self.headers.items()})
            received.take(self.path, body)
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", received
        finally:
            server.shutdown()
            thread.join()


async def test_a_collector_is_sent_what_a_request_did(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20key")
    with receiving() as (url, received):
        telemetry = telemetry_of(Settings(otlp_endpoint=url), MODEL)
        async with composed(
            data_dir.parent, monkeypatch, lambda _: Reply("#### 14"), telemetry=telemetry
        ) as server:
            await server.chat()
        telemetry.close()
        assert {"POST /v1/chat/completions", f"chat {MODEL}", "sample"} <= received.names()
        assert {who["service.name"] for who, _ in received.spans} == {"whet"}
        assert {"gen_ai.server.request.duration", "gen_ai.client.token.usage"} <= received.metrics
        assert {sent["authorization"] for sent in received.headers} == {"Bearer key"}


async def test_a_jobs_process_tells_the_collector_too_and_what_it_asks_is_below_it(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as (url, received):
        monkeypatch.setenv(GENERAL, url)
        telemetry = telemetry_of(Settings(), MODEL)
        async with composed(
            data_dir.parent, monkeypatch, lambda _: Reply("#### 14"), telemetry=telemetry
        ) as server:
            made = await server.post("/v1/jobs", kind="evaluate", **ASKED)
            await ended(server, made["id"])
            for _ in range(600):  # it is sent as the process ends
                if "job evaluate" in received.names():
                    break
                await asyncio.sleep(0.05)
        telemetry.close()
        (span,) = [span for _, span in received.spans if span.name == "job evaluate"]
        facts = {each.key: each.value.string_value for each in span.attributes}
        assert facts == {"whet.job": made["id"], "whet.tenant": "default"}
        asked = [each for _, each in received.spans if each.name == f"POST {CHAT}"]
        assert len(asked) >= 8, "two arms put four questions"
        assert {(each.trace_id, each.parent_span_id) for each in asked} == {
            (span.trace_id, span.span_id)
        }


def test_a_collector_that_is_away_holds_no_stop_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:  # takes connections, and says nothing
        url = f"http://127.0.0.1:{busy.getsockname()[1]}"
        monkeypatch.setattr("server.telemetry.exporting.CLOSING_S", 0.3)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "60")
        telemetry = telemetry_of(Settings(otlp_endpoint=url))
        with telemetry.work("job reindex"):
            pass
        began = time.monotonic()
        telemetry.close()
        assert time.monotonic() - began < 30


def test_nothing_is_sent_and_nothing_imported_where_no_collector_is_named() -> None:
    assert collector_of(Settings(), {}) == (None, None)
    assert type(telemetry_of(Settings())) is Telemetry


@pytest.mark.parametrize(
    ("flag", "environment", "vllm", "expected"),
    [
        (BASE, {}, None, BOTH),
        (f"{BASE}/", {GENERAL: "http://other"}, None, BOTH),
        (BASE, {TRACES: "http://other"}, None, BOTH),
        (None, {GENERAL: BASE}, None, BOTH),
        (None, {GENERAL: BASE, "OTEL_METRICS_EXPORTER": "none"}, None, BOTH._replace(metrics=None)),
        (None, {TRACES: "http://t/x"}, None, Collector(Target("http://t/x"), None)),
        (BASE, {}, "http://vllm", BOTH),
        (
            None,
            {GENERAL: "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            None,
            Collector(*[Target("http://127.0.0.1:4317", "grpc")] * 2),
        ),
        (None, {}, "127.0.0.1:4317", Collector(Target("127.0.0.1:4317", "grpc", True), None)),
        (
            None,
            {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"},
            "http://vllm/v1/traces",
            Collector(Target("http://vllm/v1/traces"), None),
        ),
        (BASE, {"OTEL_SDK_DISABLED": "true"}, None, Collector(None, None)),
        (None, {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, None, Collector(None, None)),
    ],
)
def test_where_it_goes(
    flag: str | None, environment: dict[str, str], vllm: str | None, expected: Collector
) -> None:
    assert collector_of(Settings(otlp_endpoint=flag), environment, vllm) == expected


@pytest.mark.parametrize("exporter", ["otlp", "none"])
async def test_the_log_names_a_trace_where_one_is_kept(
    monkeypatch: pytest.MonkeyPatch, exporter: str
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    monkeypatch.setenv("OTEL_TRACES_EXPORTER", exporter)
    with receiving() as (url, received), logged() as log:
        telemetry = telemetry_of(Settings(otlp_endpoint=url), MODEL)
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        await RequestLog(app, LogRules(), telemetry)(scope, None, None)  # type: ignore[arg-type]
        telemetry.close()
        (line,) = log.requests
        assert ("trace_id" in line) == bool(received.spans) == (exporter == "otlp")
        assert received.metrics


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ConfigError, match="http/json is none of"):
        collector_of(Settings(), {GENERAL: BASE, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})
    with pytest.raises(ConfigError, match="--otlp-endpoint"):
        resolve({"otlp_endpoint": "localhost:4318"}, {})
    assert resolve({"otlp_endpoint": "none"}, {}).settings.otlp_endpoint is None


def test_without_the_packages_a_flag_is_refused_and_a_variable_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match=r"whet\[otel\]"):
        telemetry_of(Settings(otlp_endpoint=BASE))
    monkeypatch.setenv(GENERAL, BASE)
    assert type(telemetry_of(Settings())) is Telemetry
    assert "none are sent" in caplog.text

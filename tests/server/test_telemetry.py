"""Traces and metrics of a served request, by the SDK's own exporters in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from opentelemetry.semconv.attributes import (
    client_attributes,
    error_attributes,
    http_attributes,
    url_attributes,
)
from opentelemetry.semconv.metrics import http_metrics
from opentelemetry.trace import SpanKind, StatusCode

from server.telemetry import conventions as names
from server.telemetry.otel import OpenTelemetry
from server.telemetry.request_log import LogRules, RequestLog
from tests.server.composed import ASK, MODEL, STORY, Reply, composed
from tests.server.telemetry_lines import logged
from tests.server.test_batches import client_of
from tests.server.test_composition import by_adapter, neighbour
from tests.server.test_evals import ended, made, source
from tests.server.test_request_log import leave, settled

CHAT = "/v1/chat/completions"
SECRET = "zygomorphic"
PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")


class Told:
    """What a server told."""

    def __init__(self, hands_down: bool = False) -> None:
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        tracers = TracerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.telemetry = OpenTelemetry(tracers, meters, MODEL, hands_down=hands_down)

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def named(self, name: str) -> ReadableSpan:
        (span,) = [span for span in self.spans if span.name == name]
        return span

    def below(self, span: ReadableSpan) -> list[ReadableSpan]:
        own = span.context.span_id
        return [each for each in self.spans if each.parent and each.parent.span_id == own]

    def points(self, metric: str) -> list[Any]:
        data = self.reader.get_metrics_data()
        assert data is not None
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for each in scope.metrics
            if each.name == metric
            for point in each.data.data_points
        ]


@pytest.fixture
def told() -> Told:
    return Told()


def serving(data_dir: Path, monkeypatch: pytest.MonkeyPatch, told: Told, script: Any) -> Any:
    return composed(data_dir.parent, monkeypatch, script, telemetry=told.telemetry)


def found(span: ReadableSpan) -> Mapping[str, Any]:
    return dict(span.attributes or {})


def test_the_names_are_those_of_the_conventions() -> None:
    known = {
        value
        for module in (
            gen_ai_attributes,
            gen_ai_metrics,
            client_attributes,
            error_attributes,
            http_attributes,
            url_attributes,
            http_metrics,
        )
        for value in vars(module).values()
        if isinstance(value, str)
    }
    ours = {
        value
        for name, value in vars(names).items()
        if name.isupper() and isinstance(value, str) and "." in value
    }
    newer = {name for name in ours if name.startswith("gen_ai.memory.")}
    assert len(newer) == 2
    assert ours - known - newer == {names.EVALUATION, names.STEP_DURATION}
    operations = {each.value for each in gen_ai_attributes.GenAiOperationNameValues}
    assert {names.CHAT, names.TEXT_COMPLETION} <= operations


async def test_a_request_is_a_trace_of_server_answer_and_steps(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    async with serving(data_dir, monkeypatch, told, lambda _: Reply(f"{SECRET} #### 14")) as server:
        answer = await server.chat(messages=[{"role": "user", "content": f"{SECRET}? {STORY}"}])
    report, usage = answer["adaptation"], answer["usage"]
    request, chat = told.named(f"POST {CHAT}"), told.named(f"chat {MODEL}")
    assert (request.kind, request.parent) == (SpanKind.SERVER, None)
    assert {
        names.METHOD: "POST",
        names.ROUTE: CHAT,
        names.PATH: CHAT,
        names.STATUS: 200,
        "whet.tenant": "default",
    }.items() <= found(request).items()
    assert told.below(request) == [chat]
    assert {
        names.OPERATION: "chat",
        names.PROVIDER: "whet",
        names.REQUEST_MODEL: MODEL,
        names.RESPONSE_ID: answer["id"],
        names.FINISH_REASONS: ("stop",),
        names.INPUT_TOKENS: usage["prompt_tokens"],
        names.OUTPUT_TOKENS: usage["completion_tokens"],
        names.REASONING_TOKENS: usage["completion_tokens_details"]["reasoning_tokens"],
        "whet.strategy": "consistency",
        "whet.stop_reason": report["stop_reason"],
        "whet.samples.started": report["samples"]["started"],
    }.items() <= found(chat).items()
    steps = told.below(chat)
    assert {found(span)["whet.step"] for span in steps} == set(report["seconds"])
    assert {span.name for span in steps} >= {"search_memory", "sample", "verify", "upsert_memory"}
    for span in steps:
        assert (span.start_time or 0) >= (chat.start_time or 0)
        assert (span.end_time or 0) <= (chat.end_time or 0)
    assert {span.status.status_code for span in told.spans} == {StatusCode.UNSET}
    assert SECRET not in "".join(span.to_json() for span in told.spans)


async def test_training_gate_and_verdicts_are_told(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    async with serving(data_dir, monkeypatch, told, by_adapter) as server:
        for number in range(8):
            server.memory.save(neighbour(number))
        verifiers = [{"type": "math", "reference": "2"}]
        wanted = {"strategy": "ttt", "verifiers": verifiers, "memory": {"reuse": False}}
        answer = await server.chat(adaptation=wanted)
    assert answer["adaptation"]["adapter"] is not None, answer["adaptation"]["reason"]
    chat = told.named(f"chat {MODEL}")
    assert {span.name for span in told.below(chat)} >= {"search_memory", "train", "gate", "verify"}
    assert found(chat)["whet.adapter.accepted"] is answer["adaptation"]["adapter"]["accepted"]
    assert found(chat)[names.RECORD_COUNT] == len(answer["adaptation"]["neighbours"])
    (event,) = chat.events
    assert event.name == names.EVALUATION
    assert event.attributes == {names.EVALUATION_NAME: "math", names.EVALUATION_LABEL: "passed"}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("strategy", ["plain", "consistency"])
async def test_who_traces_already_finds_the_request_in_the_own_trace(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, told: Told, strategy: str, stream: bool
) -> None:
    async with serving(data_dir, monkeypatch, told, lambda _: Reply("#### 14")) as server:
        sent = {"traceparent": f"00-{PARENT[0]}-{PARENT[1]}-01"}
        body = {**ASK, "stream": stream, "adaptation": {"strategy": strategy}}
        with logged() as log:
            response = await server.http.post(CHAT, json=body, headers=sent)
            (line,) = await settled(log)
        assert response.status_code == 200
    assert line["trace_id"] == PARENT[0]
    request = told.named(f"POST {CHAT}")
    assert request.parent
    assert f"{request.parent.span_id:016x}" == PARENT[1]
    assert {f"{span.context.trace_id:032x}" for span in told.spans} == {PARENT[0]}
    assert found(told.named(f"chat {MODEL}"))[names.OUTPUT_TOKENS] > 0


async def test_requests_at_once_keep_their_steps_apart(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    async with serving(data_dir, monkeypatch, told, lambda _: Reply("#### 14")) as server:
        await asyncio.gather(*(server.chat() for _ in range(5)))
        asked = {"model": MODEL, "prompt": ["One?", "Two?", "Three?"], "max_tokens": 4}
        await server.post("/v1/completions", **asked)
    chats = [span for span in told.spans if span.name == f"chat {MODEL}"]
    assert len({span.context.trace_id for span in chats}) == len(chats) == 5
    for chat in chats:
        assert "sample" in {span.name for span in told.below(chat)}
        assert {span.context.trace_id for span in told.below(chat)} == {chat.context.trace_id}
    request = told.named("POST /v1/completions")
    assert [span.name for span in told.below(request)] == [f"text_completion {MODEL}"] * 3


async def test_what_failed_and_who_left_is_told_by_kind_alone(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    gate = asyncio.Event()

    def script(request: Any) -> Reply:
        return Reply("#### 14", gate=gate, error=failing.pop() if failing else None)

    failing = [RuntimeError(SECRET)]
    async with serving(data_dir, monkeypatch, told, script) as server:
        plain = {**ASK, "adaptation": {"strategy": "plain"}}
        await server.http.post(CHAT, json=plain)
        failed = told.named(f"chat {MODEL}")
        assert failed.status.status_code is StatusCode.ERROR
        assert found(failed)[names.ERROR_TYPE]
        told.exporter.clear()
        await server.http.post(CHAT, json={**ASK, "model": "nobody"})
        request = told.named(f"POST {CHAT}")
        assert (found(request)[names.STATUS], request.status.status_code) == (
            404,
            StatusCode.UNSET,
        )
        told.exporter.clear()
        with logged() as log:
            await leave(server, {**ASK, "stream": True}, once=server.core.begun.acquire)
            await settled(log)
        gate.set()
    assert found(told.named(f"POST {CHAT}"))[names.ERROR_TYPE] == "client_left"
    assert found(told.named(f"chat {MODEL}"))[names.ERROR_TYPE] == "cancelled"
    assert SECRET not in "".join(span.to_json() for span in told.spans)


async def test_what_is_counted(data_dir: Path, monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    async with serving(data_dir, monkeypatch, told, lambda _: Reply("#### 14")) as server:
        usage = [(await server.chat())["usage"] for _ in range(2)]
    (duration,) = told.points(names.REQUEST_DURATION)
    assert duration.count == 2
    assert duration.explicit_bounds == names.SECONDS
    what = {names.OPERATION: "chat", names.PROVIDER: "whet", names.REQUEST_MODEL: MODEL}
    assert duration.attributes == what
    tokens = {point.attributes[names.TOKEN_TYPE]: point for point in told.points(names.TOKEN_USAGE)}
    assert tokens["input"].sum == sum(each["prompt_tokens"] for each in usage)
    assert tokens["output"].sum == sum(each["completion_tokens"] for each in usage)
    (http,) = told.points(names.HTTP_DURATION)
    assert (http.count, http.attributes[names.ROUTE], http.attributes[names.STATUS]) == (
        2,
        CHAT,
        200,
    )
    steps = {
        point.attributes["whet.step"]: point.count for point in told.points(names.STEP_DURATION)
    }
    assert steps["sample"] == 2


async def test_probes_are_not_traced(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    async with serving(data_dir, monkeypatch, told, lambda _: Reply("#### 14")) as server:
        for path in ("/health", "/ready", "/metrics"):
            await server.http.get(path)
        await server.http.get(f"/v1/memory/records/rec_1?q={SECRET}")
    (span,) = told.spans
    assert span.name == "GET /v1/memory/records/{record_id}"
    assert SECRET not in span.to_json()


async def test_a_word_that_is_no_method_of_http_makes_no_series_of_its_own(told: Told) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    for method in ("BREW", "WHEN", "get", "GET"):
        scope = {"type": "http", "method": method, "path": "/", "headers": []}
        await RequestLog(app, LogRules(), told.telemetry)(scope, None, None)  # type: ignore[arg-type]
    counts = {
        point.attributes[names.METHOD]: point.count for point in told.points(names.HTTP_DURATION)
    }
    assert counts == {"_OTHER": 3, "GET": 1}
    assert [span.name for span in told.spans] == ["HTTP", "HTTP", "HTTP", "GET"]


@pytest.mark.parametrize("hands_down", [True, False])
async def test_vllm_is_handed_the_span_under_way_where_it_traces_too(hands_down: bool) -> None:
    told, seen = Told(hands_down), dict[bytes, bytes]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope["headers"])

    headers = [(b"traceparent", b"x"), (b"tracestate", b"y"), (b"host", b"here")]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    await RequestLog(app, LogRules(), told.telemetry)(scope, None, None)  # type: ignore[arg-type]
    (span,) = told.spans
    assert seen.pop(b"host") == b"here"
    if hands_down:
        _, trace, parent, _ = seen.pop(b"traceparent").decode().split("-")
        assert (int(trace, 16), int(parent, 16)) == (span.context.trace_id, span.context.span_id)
    assert not seen


async def test_an_evaluations_requests_are_within_its_run(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    async with serving(data_dir, monkeypatch, told, lambda _: Reply("14")) as server:
        client = client_of(server, "none")
        evaluation = await made(client)
        run = await client.evals.runs.create(evaluation.id, data_source=source())
        await ended(client, run)
    span = told.named("evaluation run")
    assert found(span) == {"whet.run": run.id, "whet.tenant": "default"}
    assert [each.name for each in told.below(span)] == [f"POST {CHAT}"] * 6

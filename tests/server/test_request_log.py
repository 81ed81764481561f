"""One line a request: whatever was asked, however it ended, and nothing of what was said."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from server.telemetry import crowd
from server.telemetry.request_log import MOST_CHARACTERS
from tests.server.composed import ASK, MODEL, Composed, Reply, Script, composed
from tests.server.telemetry_lines import Log, logged

Serve = Callable[..., AbstractAsyncContextManager[Composed]]
CHAT = "/v1/chat/completions"
SECRET = "zygomorphic"
PRIVATE = [{"role": "user", "content": f"What is {SECRET} 40 + 2?"}]
pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")


@pytest.fixture
def serve(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    def build(script: Script, **settings: Any) -> AbstractAsyncContextManager[Composed]:
        return composed(data_dir.parent, monkeypatch, script, **settings)

    return build


def right(request: Any) -> Reply:
    return Reply(f"{SECRET}\n#### 42")


async def settled(log: Log, number: int = 1) -> list[dict[str, Any]]:
    """Return the lines of so many requests, once they have come."""
    for _ in range(1000):
        if len(log.requests) >= number:
            break
        await asyncio.sleep(0.01)
    assert len(log.requests) == number
    return log.requests


async def test_a_voted_request_tells_what_it_was_and_what_it_cost(serve: Serve) -> None:
    async with serve(right) as server:
        with logged() as log:
            sent = {"x-request-id": "my-id.1"}
            asked = {**ASK, "adaptation": {"strategy": "auto"}}
            response = await server.http.post(CHAT, json=asked, headers=sent)
            (line,) = await settled(log)
        report = response.json()["adaptation"]
        assert line["message"] == f"POST {CHAT}"
        assert line["level"] == "info"
        assert line["request_id"] == response.headers["x-request-id"] == "my-id.1"
        assert (line["status"], line["tenant"], line["client"]) == (200, "default", "127.0.0.1")
        assert line["completion"] == response.json()["id"]
        assert line["requested"] == "auto"
        assert line["strategy"] == report["strategy"]
        assert line["stop_reason"] == report["stop_reason"]
        assert line["samples"] == report["samples"]
        prompt = response.json()["usage"]["prompt_tokens"]
        assert line["tokens"] == {"prompt": prompt, **report["tokens"]}
        assert line["seconds"] == report["seconds"]
        assert line["fallback"] == report["reason"]
        assert line["duration_s"] > 0
        assert "ended" not in line


async def test_every_line_of_a_request_has_its_id(serve: Serve) -> None:
    number = count()

    def failing(request: Any) -> Reply:
        return Reply("", error=ValueError("no")) if next(number) % 2 else Reply("#### 42")

    async with serve(failing) as server:
        with logged() as log:
            asked = {**ASK, "adaptation": {"strategy": "consistency"}}
            await asyncio.gather(
                *(
                    server.http.post(CHAT, json=asked, headers={"x-request-id": f"r{n}"})
                    for n in range(4)
                )
            )
            await settled(log, 4)
        others = [line for line in log.lines if line["logger"].startswith("adaptation.")]
        known = {line["completion"]: line["request_id"] for line in log.requests}
        assert {line["request_id"] for line in others} == set(known.values())
        for line in others:
            (named,) = re.findall(r"chatcmpl-\w+", line["message"])
            assert known[named] == line["request_id"]


@pytest.mark.parametrize("strategy", ["plain", "consistency"])
async def test_a_stream_has_its_line_at_its_end(serve: Serve, strategy: str) -> None:
    async with serve(right) as server:
        with logged() as log:
            asked = {**ASK, "stream": True, "adaptation": {"strategy": strategy}}
            async with server.http.stream("POST", CHAT, json=asked) as response:
                await response.aread()
            (line,) = await settled(log)
        assert line["strategy"] == strategy
        assert line["tokens"]["returned"] > 0
        assert line["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"model": "nobody"}, 404, "model_not_found"),
        ({"adaptation": {"stratgy": "auto"}}, 400, "invalid_request_error"),
        ({"temperature": "hot"}, 400, "invalid_request_error"),
    ],
)
async def test_a_refused_request_has_its_line_too(
    serve: Serve, body: dict[str, Any], status: int, error: str
) -> None:
    async with serve(right) as server:
        with logged() as log:
            await server.http.post(CHAT, json={**ASK, "messages": PRIVATE, **body})
            (line,) = await settled(log)
        assert (line["status"], line["error"], line["level"]) == (status, error, "info")
        assert line["tenant"] == "default"
        assert "strategy" not in line


async def test_a_failed_request_warns(serve: Serve) -> None:
    async with serve(lambda request: Reply("#### 1", kills=True), engine_restarts=0) as server:
        with logged() as log:
            await server.http.post(CHAT, json={**ASK, "adaptation": {"strategy": "plain"}})
            (line,) = await settled(log)
        assert (line["status"], line["level"]) == (503, "warning")
        assert line["samples"] == {"started": 1, "finished": 0, "cancelled": 1, "cut": 0}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("strategy", ["plain", "consistency"])
async def test_a_client_that_left_is_named_with_what_it_cost(
    serve: Serve, strategy: str, stream: bool
) -> None:
    gate = asyncio.Event()
    async with serve(lambda request: Reply(f"{SECRET} #### 42", gate=gate)) as server:
        with logged() as log:
            body = {**ASK, "stream": stream, "adaptation": {"strategy": strategy}}
            await leave(server, body, once=server.core.begun.acquire)
            (line,) = await settled(log)
        gate.set()
        assert line["ended"] == "client_left"
        assert line["samples"]["cancelled"] >= 1
        assert line["tokens"]["cancelled"] >= 1
        assert line["tokens"]["returned"] == 0


async def test_a_client_that_goes_once_it_is_told_of_the_end_has_not_left(serve: Serve) -> None:
    told = asyncio.Event()

    async def hear(message: Any) -> None:
        if told.is_set():
            await asyncio.Event().wait()  # the last bytes find nobody
        if message.get("body", b"").endswith(b"data: [DONE]\n\n"):
            told.set()

    async with serve(right) as server:
        with logged() as log:
            await leave(server, {**ASK, "stream": True}, once=told.wait, hear=hear)
            (line,) = await settled(log)
    assert (line["status"], "ended" in line) == (200, False)


async def leave(
    server: Composed,
    body: dict[str, Any],
    once: Callable[[], Any],
    hear: Callable[[Any], Awaitable[None]] | None = None,
) -> None:
    """Ask as a client that goes as soon as `once` returns, and hears what it is sent by `hear`."""
    sent = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]
    headers = [(b"content-type", b"application/json"), (b"host", b"127.0.0.1")]
    scope = {
        "type": "http", "method": "POST", "path": CHAT, "raw_path": CHAT.encode(),
        "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1",
        "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        "asgi": {"version": "3.0"},
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        if sent:
            return sent.pop()
        await once()
        await asyncio.sleep(0.05)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if hear is not None:
            await hear(message)

    async with asyncio.timeout(30):
        await server.app(scope, receive, send)


async def test_probes_and_files_of_the_console_are_quiet_unless_they_fail(serve: Serve) -> None:
    async with serve(right) as server:
        with logged() as log:
            for path in ("/health", "/ready", "/metrics", "/console/app.js"):
                assert (await server.http.get(path)).status_code == 200
            assert (await server.http.post("/health")).status_code == 405
            (line,) = await settled(log)
        assert line["message"] == "POST /health"


async def test_what_the_server_asks_itself_has_its_line(serve: Serve) -> None:
    async with serve(right) as server:
        with logged() as log:
            content = json.dumps({"custom_id": "a", "method": "POST", "url": CHAT, "body": ASK})
            files = {"file": ("in.jsonl", content), "purpose": (None, "batch")}
            made = (await server.http.post("/v1/files", files=files)).json()
            wanted = {"input_file_id": made["id"], "endpoint": CHAT, "completion_window": "24h"}
            await server.post("/v1/batches", **wanted)
            *_, line = await settled(log, 3)
        assert line["message"] == f"POST {CHAT}"
        assert line["tenant"] == "default"
        assert "client" not in line


async def test_no_query_is_logged(serve: Serve) -> None:
    async with serve(right) as server:
        with logged() as log:
            await server.http.get("/v1/memory/records", params={"q": SECRET})
            await server.http.get(f"/nowhere%0Aforged?q={SECRET}")
            first, second = await settled(log, 2)
        assert first["message"] == "GET /v1/memory/records"
        assert second["message"] == "GET /nowhere%0Aforged"
        assert SECRET not in log.text


async def ask_for_everything(http: httpx.AsyncClient) -> None:
    """Ask in ways that succeed, fall back and fail, about what nobody else may read."""
    chat = {"model": MODEL, "messages": PRIVATE}
    strategies = ("plain", "consistency", "demonstrations", "ttt", "auto", "best_of_n", "refine")
    for strategy in (*strategies, "reflexion", "debate", "decompose"):
        await http.post(CHAT, json={**chat, "adaptation": {"strategy": strategy}})
    verifier = {"type": "regex", "pattern": f"never {SECRET}"}
    await http.post(CHAT, json={**chat, "adaptation": {"verifiers": [verifier]}})
    await http.post(CHAT, json={**chat, "adaptation": {"answer": {"kind": SECRET}}})
    await http.post(CHAT, json={**chat, "tools": [{"type": SECRET}]})
    await http.post(CHAT, json={"model": SECRET, "messages": PRIVATE})
    await http.post(CHAT, content=f'{{"messages": "{SECRET}'.encode())
    await http.post("/v1/completions", json={"model": MODEL, "prompt": [SECRET, SECRET]})
    await http.post("/v1/responses", json={"model": MODEL, "input": SECRET})
    await http.post("/v1/embeddings", json={"model": MODEL, "input": SECRET})
    line = {"messages": [*PRIVATE, {"role": "assistant", "content": SECRET}], "answer": "42"}
    await http.post("/v1/memory/import", content=json.dumps(line).encode())
    told = {"completion_id": "chatcmpl-1", "verdict": "incorrect", "answer": SECRET}
    await http.post("/v1/feedback", json=told)


async def test_of_those_who_are_turned_away_one_has_a_line_and_all_are_counted(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "WINDOW_S", 3600.0)
    gate, registry = asyncio.Event(), CollectorRegistry()
    one_place = {"max_concurrent_requests": 1, "registry": registry}
    async with serve(lambda request: Reply("42", gate=gate), **one_place) as server:
        at_work = asyncio.create_task(server.chat())
        await server.core.begun.acquire()
        with logged() as log:
            responses = [await server.http.post(CHAT, json=ASK) for _ in range(10)]
            (line,) = await settled(log)
        assert (line["status"], line["error"]) == (503, "service_unavailable")
        assert line["request_id"] == responses[0].headers["x-request-id"]
        assert len({response.headers["x-request-id"] for response in responses}) == 10
        gate.set()
        await at_work
    assert registry.get_sample_value("whet_refused_total", {"status": "503"}) == 10


async def test_nothing_that_was_said_is_logged(serve: Serve) -> None:
    async with serve(right) as server:
        with logged() as log:
            await ask_for_everything(server.http)
        assert len(log.requests) == 20
        assert SECRET not in log.text


async def test_nothing_that_was_said_is_logged_of_a_crash(serve: Serve) -> None:
    async with serve(lambda request: Reply(SECRET, kills=True), engine_restarts=0) as server:
        with logged() as log:
            await server.http.post(CHAT, json={"model": MODEL, "messages": PRIVATE})
            await settled(log)
        assert SECRET not in log.text


async def test_content_is_logged_where_the_operator_asks_for_it(serve: Serve) -> None:
    async with serve(right, log_content=True) as server:
        with logged() as log:
            long = f"{SECRET} " * MOST_CHARACTERS
            await server.http.post(CHAT, json={"model": MODEL, "messages": PRIVATE})
            asked = {"model": MODEL, "prompt": ["One?", long[:2500]], "max_tokens": 8}
            await server.http.post("/v1/completions", json=asked)
            first, second = await settled(log, 2)
        assert first["question"] == PRIVATE[0]["content"]
        assert first["answer"] == f"{SECRET}\n#### 42"
        assert {len(question) for question in second["question"]} == {4, MOST_CHARACTERS}

"""How answers came about, over HTTP: listed, looked at, watched, bounded, and forgotten."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from memory.types import Draft, Message, Tier
from server.routes import traces
from server.telemetry.live import MOST_WATCHERS
from server.tenancy.principal import Role
from tests.server.composed import MODEL, STORY, Composed, Reply, composed
from tests.server.forgetting import CANARY, hits
from tests.server.tenancy.test_tenants_http import Tenant

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
CHAT, LIVE = "/v1/chat/completions", "/v1/traces/live"
Serve = Callable[..., AbstractAsyncContextManager[Composed]]
AHEAD = 6
"""Events that a test may have to pass over until the one that it waits for."""


@pytest.fixture
def serve(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    return partial(composed, data_dir.parent, monkeypatch)


def body(question: str = STORY, strategy: str = "consistency", **options: Any) -> dict[str, Any]:
    asked = [{"role": "user", "content": question}]
    return {"model": f"{MODEL}:{strategy}", "messages": asked, "adaptation": options}


def said(_: Any) -> Reply:
    return Reply("12 + 7 - 5 = 14.\n#### 14")


class Stream:
    """One stream of events, read as they come: httpx hands over whole answers only."""

    def __init__(self, server: Composed, headers: dict[str, str] | None = None) -> None:
        raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        self._scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": LIVE,
            "raw_path": LIVE.encode(),
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1"), *raw],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        self._app, self._left = server.app, asyncio.Event()
        self._parts: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._text = ""

    async def _receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        await self._parts.put(message)

    async def run(self) -> None:
        await self._app(self._scope, self._receive, self._send)

    async def status(self) -> int:
        return int((await self._parts.get())["status"])

    async def next(self) -> tuple[str, dict[str, Any]] | None:
        """The next event; None at the end of the stream."""
        while True:
            head, found, rest = self._text.partition("\n\n")
            if not found:
                part = await self._parts.get()
                self._text += part.get("body", b"").decode()
                if not part.get("more_body"):
                    return None
                continue
            self._text = rest
            if head.startswith("event: "):
                kind, _, data = head.removeprefix("event: ").partition("\ndata: ")
                return kind, json.loads(data)

    async def until(self, kind: str) -> dict[str, Any]:
        for _ in range(AHEAD):
            found = await self.next()
            if found is not None and found[0] == kind:
                return found[1]
        raise AssertionError(f"no {kind}")


@asynccontextmanager
async def watching(
    server: Composed, headers: dict[str, str] | None = None
) -> AsyncIterator[Stream]:
    stream = Stream(server, headers)
    task = asyncio.create_task(stream.run())
    try:
        assert await stream.status() == 200
        yield stream
    finally:
        stream._left.set()
        await asyncio.wait([task], timeout=10)
        assert task.done(), "who leaves is let go"


async def test_an_answer_is_listed_and_told_in_full(serve: Serve) -> None:
    async with serve(said) as server:
        answer = await server.post(CHAT, **body())
        report = answer["adaptation"]
        listed = (await server.http.get("/v1/traces")).json()
        assert listed["object"] == "list"
        assert listed["has_more"] is False
        (short,) = listed["data"]
        assert (short["id"], short["question"], short["answer"]) == (answer["id"], STORY, "14")
        for name in ("strategy", "requested", "stop_reason", "agreement", "samples", "tokens"):
            assert short[name] == report[name]
        whole = (await server.http.get(f"/v1/traces/{answer['id']}")).json()
        assert len(whole["samples"]) == report["samples"]["started"]
        states = [each["state"] for each in whole["samples"]]
        assert states.count("returned") == 1
        assert states.count("cancelled") == report["samples"]["cancelled"]
        assert sum(each["tokens"] for each in whole["samples"]) == sum(report["tokens"].values())
        counted = [each for each in whole["samples"] if each["key"]]
        assert {each["answer"] for each in counted} == {"14"}
        assert all(each["text"].startswith("12 + 7") for each in counted)
        assert {"sample", "retrieve"} <= {each["step"] for each in whole["events"]}
        assert whole["votes"] == report["votes"]
        assert whole["links"]["lineage"] == f"/v1/trace/{answer['id']}"
        for link in whole["links"].values():
            assert (await server.http.get(link)).status_code == 200


async def test_what_was_taught_shows_its_training(serve: Serve) -> None:
    async with serve(said) as server:
        for n in range(8):
            question = f"Tom has {n + 3} apples. He buys 7 more. How many apples does Tom have?"
            draft = {"answer": str(n + 10), "rationale": f"#### {n + 10}", "tier": Tier.EXECUTABLE}
            asked = (Message(role="user", content=question),)
            server.memory.save(Draft(tenant="default", messages=asked, **draft))  # type: ignore[arg-type]
        report = (await server.post(CHAT, **body(strategy="ttt")))["adaptation"]
        assert report["adapter"] is not None, report["reason"]
        (short,) = (await server.http.get("/v1/traces?strategy=" + report["strategy"])).json()[
            "data"
        ]
        whole = (await server.http.get(f"/v1/traces/{short['id']}")).json()
        training = whole["training"]
        assert training["reason"] == report["adapter"]["reason"]
        assert len(training["losses"]) > 2
        assert [training["losses"][0], training["losses"][-1]] == [
            round(loss, 4) for loss in report["adapter"]["loss"]
        ]
        assert whole["neighbours"] == report["neighbours"]
        assert "train" in {each["step"] for each in whole["events"]}


async def test_a_failed_sample_and_a_remembered_answer_are_told_as_such(serve: Serve) -> None:
    texts = iter(["#### 14"])

    def once(_: Any) -> Reply:
        text = next(texts, None)
        return Reply(text) if text else Reply("", error=ValueError("cannot be drawn"))

    async with serve(once) as server:
        await server.post(CHAT, **body(max_samples=3))
        (short,) = (await server.http.get("/v1/traces")).json()["data"]
        whole = (await server.http.get(f"/v1/traces/{short['id']}")).json()
        assert "failed" in {each["state"] for each in whole["samples"]}
        told = {"completion_id": short["id"], "verdict": "correct"}
        await server.post("/v1/feedback", **told)
        await server.post(CHAT, **body())
        newest, *_ = (await server.http.get("/v1/traces?limit=1")).json()["data"]
        assert newest["stop_reason"] == "remembered"
        whole = (await server.http.get(f"/v1/traces/{newest['id']}")).json()
        assert whole["samples"] == []


async def test_what_writes_no_memory_leaves_no_trace(serve: Serve) -> None:
    async with serve(said) as server:
        await server.post(CHAT, **body(memory={"write": False}))
        await server.post(CHAT, **body(strategy="plain", memory={"write": False}))
        assert (await server.http.get("/v1/traces")).json()["data"] == []


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_plain_answer_shows_its_one_sample(serve: Serve, is_streamed: bool) -> None:
    async with serve(said) as server:
        asked = body(strategy="plain") | {"stream": is_streamed}
        assert (await server.http.post(CHAT, json=asked)).status_code == 200
        (short,) = (await server.http.get("/v1/traces?strategy=plain")).json()["data"]
        assert (short["question"], short["answer"], short["agreement"]) == (STORY, "14", None)
        whole = (await server.http.get(f"/v1/traces/{short['id']}")).json()
        (drawn,) = whole["samples"]
        assert (drawn["number"], drawn["state"], drawn["end"]) == (1, "returned", "stop")
        assert drawn["text"] == said(None).text
        assert drawn["tokens"] == whole["tokens"]["returned"] > 0
        assert 0 < drawn["seconds"] <= whole["seconds"]
        assert (whole["votes"], whole["events"]) == (None, [])


async def test_what_nobody_waits_for_pushes_no_trace_out_and_is_not_watched(serve: Serve) -> None:
    async with serve(said, trace_rows=1) as server, watching(server) as stream:
        seen = (await server.post(CHAT, **body()))["id"]
        assert (await stream.until("finished"))["id"] == seen
        async with server.jobs._client_of("default") as inside:
            for strategy in ("consistency", "plain"):
                made = await inside.post(CHAT, json=body("What is 3 + 4?", strategy))
                answered = made.json()["id"]
                assert (await server.http.get(f"/v1/reports/{answered}")).status_code == 200
        assert [each["id"] for each in (await server.http.get("/v1/traces")).json()["data"]] == [
            seen
        ]
        again = (await server.post(CHAT, **body(f"{STORY} Say it again.")))["id"]
        assert (await stream.next() or ("", {}))[1]["id"] == again, "the next that it is told"


async def test_a_tenant_keeps_its_latest_and_pages_through_them(serve: Serve) -> None:
    async with serve(said, trace_rows=2) as server:
        made = [await server.post(CHAT, **body(f"{STORY} {n}")) for n in range(3)]
        newest = [each["id"] for each in reversed(made)]
        page = (await server.http.get("/v1/traces?limit=1")).json()
        assert ([each["id"] for each in page["data"]], page["has_more"]) == (newest[:1], True)
        rest = (await server.http.get(f"/v1/traces?limit=5&after={newest[0]}")).json()
        assert [each["id"] for each in rest["data"]] == newest[1:2]
        assert (await server.http.get(f"/v1/traces/{newest[2]}")).status_code == 404
        for wrong in ("limit=0", "limit=999", "strategy=none", "after=../x"):
            assert (await server.http.get(f"/v1/traces?{wrong}")).status_code == 400, wrong


async def test_nothing_of_one_tenant_is_seen_by_another(serve: Serve) -> None:
    async with serve(said) as server:
        acme, globex = Tenant(server, "acme"), Tenant(server, "globex")
        async with watching(server, acme.headers) as own, watching(server, globex.headers) as other:
            made = (await acme.ask("POST", CHAT, **body())).json()["id"]
            assert (await own.until("finished"))["id"] == made
            theirs = (await globex.ask("POST", CHAT, **body("What is 3 + 4?"))).json()["id"]
            assert (await other.next() or ("", {}))[1]["id"] == theirs, "the first that it is told"
        assert [each["id"] for each in await traces_of(acme)] == [made]
        assert [each["id"] for each in await traces_of(globex)] == [theirs]
        assert (await globex.ask("GET", f"/v1/traces/{made}")).status_code == 404
        assert (await globex.ask("GET", f"/v1/traces?after={made}")).status_code == 404


async def traces_of(tenant: Tenant) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await tenant.ask("GET", "/v1/traces")).json()["data"]
    return listed


async def test_who_may_only_ask_sees_no_traces(serve: Serve) -> None:
    async with serve(said) as server:
        user = Tenant(server, "acme", Role.USER)
        reviewer = Tenant(server, "acme", Role.REVIEWER)
        for path in ("/v1/traces", LIVE, "/v1/traces/x"):
            assert (await user.ask("GET", path)).status_code == 403
        assert (await reviewer.ask("GET", "/v1/traces")).status_code == 200


async def test_what_is_forgotten_is_in_no_trace(serve: Serve) -> None:
    async with serve(said) as server:
        made = await server.post(CHAT, **body(f"What does {CANARY} come to?"))
        told = {"completion_id": made["id"], "verdict": "correct"}
        record = (await server.post("/v1/feedback", **told))["record"]["id"]
        assert server.memory.completions.flush()
        assert any("table request_trace" in hit.place for hit in hits(server.memory))
        assert (await server.http.delete(f"/v1/memory/records/{record}")).status_code == 200
        assert hits(server.memory) == []
        assert (await server.http.get(f"/v1/traces/{made['id']}")).status_code == 404


async def test_a_watcher_sees_the_votes_as_they_fall(serve: Serve) -> None:
    gate = asyncio.Event()

    def held(request: Any) -> Reply:
        return Reply("#### 14", gate if gates.pop() else None)

    gates = [True] * 20 + [False]
    async with serve(held) as server:
        async with watching(server) as stream:
            asking = asyncio.create_task(server.post(CHAT, **body()))
            started = await stream.until("started")
            assert (started["question"], started["strategy"]) == (STORY, "consistency")
            sample = await stream.until("sample")
            assert (sample["id"], sample["answer"]) == (started["id"], "14")
            assert sample["votes"] == [{"answer": "14", "count": 1}]
            assert sample["agreement"] == 1.0
            async with watching(server) as late:
                assert (await late.until("started"))["id"] == started["id"], "it is under way"
            gate.set()
            report = (await asking)["adaptation"]
            finished = await stream.until("finished")
        for name in ("strategy", "stop_reason", "answer", "agreement", "tokens"):
            assert finished[name] == report[name]
        assert finished["seconds"] > 0


async def test_a_watcher_is_told_no_content_of_what_writes_no_memory(serve: Serve) -> None:
    async with serve(said) as server, watching(server) as stream:
        await server.post(CHAT, **body(memory={"write": False}))
        seen = [await stream.next()]
        while seen[-1] is not None and seen[-1][0] != "finished":
            seen.append(await stream.next())
    contents = [content for _, content in filter(None, seen)]
    assert len(contents) >= 3
    assert contents[0]["question"] is None
    for content in contents[1:]:
        assert content["answer"] is None
        assert {each["answer"] for each in content.get("votes", ())} <= {None}


async def test_an_answer_that_fails_ends_for_its_watchers_too(serve: Serve) -> None:
    failing = serve(lambda _: Reply("", error=ValueError("no")))
    async with failing as server, watching(server) as stream:
        assert (await server.http.post(CHAT, json=body())).status_code >= 400
        assert (await stream.until("finished"))["stop_reason"] == "failed"


async def test_streams_end_with_the_server_and_too_many_are_refused(serve: Serve) -> None:
    async with serve(said) as server:
        async with watching(server) as stream:
            server.client.is_stopping = True
            assert await stream.next() is None
            server.client.is_stopping = False
        streams = [Stream(server) for _ in range(2 * MOST_WATCHERS)]
        tasks = [asyncio.create_task(each.run()) for each in streams]
        status = [await each.status() for each in streams]
        assert sorted(status) == [200] * MOST_WATCHERS + [429] * MOST_WATCHERS
        for each in streams:
            each._left.set()
        await asyncio.wait(tasks, timeout=10)
        async with watching(server):
            pass


async def test_a_stream_ends_soon_after_its_key(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "LOOK_S", 0.01)
    async with serve(said) as server:
        acme, admin = Tenant(server, "acme", Role.REVIEWER), Tenant(server, "acme")
        async with watching(server, acme.headers) as own, watching(server, admin.headers) as other:
            keys = (await admin.ask("GET", "/v1/admin/keys")).json()["data"]
            (ended,) = [each["id"] for each in keys if each["role"] == "reviewer"]
            assert (await admin.ask("DELETE", f"/v1/admin/keys/{ended}")).status_code == 200
            async with asyncio.timeout(10):
                assert await own.next() is None
            made = (await admin.ask("POST", CHAT, **body())).json()["id"]
            assert (await other.until("finished"))["id"] == made, "other keys watch on"


async def test_who_watches_without_a_key_is_let_go_when_the_first_is_made(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "LOOK_S", 0.01)
    async with serve(said) as server, watching(server) as stream:
        made = (await server.post(CHAT, **body()))["id"]
        assert (await stream.until("finished"))["id"] == made, "while there is none"
        Tenant(server, "acme")
        async with asyncio.timeout(10):
            assert await stream.next() is None


async def test_a_silent_stream_is_kept_open_and_ends_in_its_time(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "LOOK_S", 0.01)
    monkeypatch.setattr(traces, "SILENCE_S", 0.02)
    monkeypatch.setattr(traces, "LASTS_S", 0.5)
    async with serve(said) as server:
        whole = (await server.http.get(LIVE)).text
    assert whole.startswith(traces.OPENING)
    assert set(whole.removeprefix(traces.OPENING).split("\n\n")) == {": keep-alive", ""}


@asynccontextmanager
async def over_a_socket(server: Composed) -> AsyncIterator[httpx.AsyncClient]:
    """Reach a server as from elsewhere: what is streamed comes at once."""
    config = uvicorn.Config(server.app, lifespan="off", log_config=None)
    web = uvicorn.Server(config)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(web.serve([sock]))
        address = f"http://127.0.0.1:{sock.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=address) as http:
            yield http
        web.should_exit = True
        await serving


async def test_over_a_socket_events_come_at_once_and_who_leaves_is_forgotten(serve: Serve) -> None:
    async with serve(said) as server, over_a_socket(server) as http, asyncio.timeout(60):
        async with http.stream("GET", LIVE) as stream:
            lines = stream.aiter_lines()
            while await anext(lines) != ": watching":
                pass
            asking = asyncio.create_task(server.post(CHAT, **body()))
            while await anext(lines) != "event: sample":
                pass
            await asking
        came = 0
        while came < 2 * MOST_WATCHERS:
            async with http.stream("GET", LIVE) as stream:
                came += stream.status_code == 200


async def test_the_console_is_told_what_is_there(serve: Serve) -> None:
    async with serve(said) as server:
        await server.post(CHAT, **body())
        assert server.memory.completions.flush()
        told = (await server.http.get("/v1/console")).json()
        assert (told["tenant"], told["role"], told["database"]) == ("default", "admin", "sqlite")
        assert told["models"] == [MODEL]
        assert "ttt" in told["strategies"]
        assert told["default_strategy"] == "consistency"
        assert told["counts"]["completions"] == 1
        assert set(told["counts"]["states"]) >= {"active", "pending", "quarantined"}
        assert told["learning"] == []
        user = Tenant(server, "acme", Role.USER)
        seen = (await user.ask("GET", "/v1/console")).json()
        assert (seen["tenant"], seen["role"]) == ("acme", "user")
        assert not {"counts", "learning", "champion"} & set(seen)

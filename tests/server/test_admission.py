"""Places: taken, told, refused, and free again however a request ends."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from server.http.admission import Admission, Away, Occupancy, Turnstile
from server.refusals.error_shape import OpenAIErrorShape
from server.refusals.errors import install_handlers

CHAT = "/v1/chat/completions"


class Work:
    """An app whose requests stay at work until they are let go."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self.let_go = asyncio.Event()
        app = FastAPI()
        install_handlers(app)
        app.add_api_route(CHAT, self.answer, methods=["POST"])
        app.add_api_route("/v1/embeddings", self.fail, methods=["POST"])
        app.add_api_route("/v1/models", self.models, methods=["GET"])
        app.add_middleware(Admission, places=2)
        app.add_middleware(OpenAIErrorShape, max_body_bytes=1000)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://whet")

    async def answer(self) -> StreamingResponse:
        async def body() -> AsyncIterator[str]:
            self.begun.release()
            await self.let_go.wait()
            yield "data: done\n\n"

        return StreamingResponse(body(), media_type="text/event-stream")

    async def models(self) -> dict[str, str]:
        return {"object": "list"}

    async def fail(self) -> None:
        raise RuntimeError("a bug")

    async def begin(self) -> asyncio.Task[httpx.Response]:
        task = asyncio.create_task(self.http.post(CHAT))
        await self.begun.acquire()
        return task


@pytest.fixture
async def work() -> AsyncIterator[Work]:
    work = Work()
    async with work.http:
        yield work


def told(response: httpx.Response) -> tuple[str | None, ...]:
    names = ("limit", "remaining", "reset")
    return tuple(response.headers.get(f"x-ratelimit-{name}-requests") for name in names)


async def test_whoever_comes_when_all_places_are_taken_is_told_to_come_back(work: Work) -> None:
    under_way = [await work.begin(), await work.begin()]
    refused = await work.http.post(CHAT)
    assert refused.status_code == 503
    assert refused.json()["error"]["type"] == "server_error"
    assert refused.json()["error"]["code"] == "service_unavailable"
    assert "2 requests" in refused.json()["error"]["message"]
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-request-id"]
    assert told(refused) == ("2", "0", "1s")

    work.let_go.set()
    assert [told(await task) for task in under_way] == [("2", "1", "0s"), ("2", "0", "1s")]
    assert told(await work.http.post(CHAT)) == ("2", "1", "0s")


async def test_responses_in_the_background_take_places_too() -> None:
    at_work = {"resp_1": object()}
    transport = httpx.ASGITransport(Admission(FastAPI(), 1, Occupancy(lambda: at_work)))
    async with httpx.AsyncClient(transport=transport, base_url="http://whet") as http:
        assert (await http.post(CHAT)).status_code == 503
        at_work.clear()
        assert (await http.post(CHAT)).status_code == 404, "nobody answers, but it was let in"


async def test_what_generates_nothing_needs_no_place(work: Work) -> None:
    under_way = [await work.begin(), await work.begin()]
    listed = await work.http.get("/v1/models")
    assert listed.status_code == 200
    assert told(listed) == (None, None, None)
    work.let_go.set()
    await asyncio.gather(*under_way)


async def test_a_place_is_free_again_after_an_error_and_after_the_client_has_left(
    work: Work,
) -> None:
    for _ in range(3):
        assert (await work.http.post("/v1/embeddings")).status_code == 500
    for _ in range(3):
        left = await work.begin()
        left.cancel()
        await asyncio.wait([left])
    work.let_go.set()
    assert told(await work.http.post(CHAT)) == ("2", "1", "0s")


async def test_a_proxy_that_keeps_its_prefix_takes_places_too() -> None:
    transport = httpx.ASGITransport(Admission(FastAPI(), 0), root_path="/api")
    async with httpx.AsyncClient(transport=transport, base_url="http://whet") as http:
        assert (await http.post(f"/api{CHAT}")).status_code == 503
        assert (await http.post(CHAT)).status_code == 503
        assert (await http.post(f"/apis{CHAT}")).status_code == 404


async def test_the_turnstile_refuses_before_anything_is_done_and_lets_the_rest_through() -> None:
    passed: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope["path"])
        await PlainTextResponse("in")(scope, receive, send)

    occupancy = Occupancy()
    waits: list[float | None] = [None]
    statuses: list[int] = []
    away = Away(engine_wait_s=lambda: waits[0])
    turnstile = Turnstile(app, 1, occupancy, away, statuses.append)
    transport = httpx.ASGITransport(turnstile)
    async with httpx.AsyncClient(transport=transport, base_url="http://whet") as http:
        assert (await http.post(CHAT)).status_code == 200
        with occupancy.one_more():
            full = await http.post(CHAT)
            assert (full.status_code, full.headers["retry-after"]) == (503, "1")
            assert full.json()["error"]["code"] == "service_unavailable"
            assert "1 requests" in full.json()["error"]["message"]
            assert full.headers["x-request-id"].startswith("req_")
            named = await http.post(CHAT, headers={"X-Request-ID": "my-id.1"})
            assert named.headers["x-request-id"] == "my-id.1"
            foreign = (await http.post("/v1/messages")).json()
            assert (foreign["type"], foreign["error"]["type"]) == ("error", "overloaded_error")
            assert (await http.get("/v1/models")).status_code == 200
        waits[0] = 17.0
        away = await http.post(CHAT)
        assert (away.status_code, away.headers["retry-after"]) == (503, "17")
        assert (await http.post("/v1/embeddings")).status_code == 200
    assert passed == [CHAT, "/v1/models", "/v1/embeddings"]
    assert statuses == [503] * 4

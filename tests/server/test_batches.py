"""Files and batches over HTTP, by OpenAI's own client; the engine alone is scripted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI
from sqlalchemy import Engine, event

from memory.embedding.hashing import HashingEmbedder
from server import tenant_work
from server.batches import patience, work
from server.batches.worker import BatchWorker
from server.http.request_body import Body
from server.tenancy.principal import Role
from tests.server.composed import MODEL, STORY, Composed, Reply, composed
from tests.server.tenancy.test_tenants_http import Tenant
from tests.server.test_loop_is_free import MOST, piece_s, rounds

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
EMBEDDER = HashingEmbedder().id.partition("@")[0]


@pytest.fixture
async def server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Composed]:
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("#### 14")) as found:
        yield found


@pytest.fixture
def client(server: Composed) -> AsyncOpenAI:
    return client_of(server, "none")


def client_of(server: Composed, key: str) -> AsyncOpenAI:
    transport = httpx.ASGITransport(server.app, raise_app_exceptions=False)
    http = httpx.AsyncClient(transport=transport)
    return AsyncOpenAI(base_url="http://127.0.0.1/v1", api_key=key, http_client=http, max_retries=0)


def line(custom_id: str, url: str = CHAT, **body: Any) -> str:
    asked = {"messages": [{"role": "user", "content": STORY}]} if url == CHAT else {}
    given = {"model": MODEL, **asked, **body}
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": url, "body": given})


async def begun(client: AsyncOpenAI, *lines: str, url: Any = CHAT, **given: Any) -> Any:
    content = "\n".join(lines).encode()
    file = await client.files.create(file=("night.jsonl", content), purpose="batch")
    return await client.batches.create(
        input_file_id=file.id, endpoint=url, completion_window="24h", **given
    )


async def ended(client: AsyncOpenAI, batch_id: str) -> Any:
    async with asyncio.timeout(30):
        while True:
            batch = await client.batches.retrieve(batch_id)
            if batch.status in ("completed", "failed", "cancelled", "expired"):
                return batch
            await asyncio.sleep(0.02)


async def lines_of(client: AsyncOpenAI, file_id: str | None) -> list[Any]:
    assert file_id is not None
    content = await client.files.content(file_id)
    return [json.loads(each) for each in content.text.splitlines()]


async def test_a_file_is_kept_listed_and_deleted(client: AsyncOpenAI) -> None:
    after: Any = {"anchor": "created_at", "seconds": 3600}
    file = await client.files.create(
        file=("ä.jsonl", b"{}\n" * 3), purpose="batch", expires_after=after
    )
    assert (file.bytes, file.filename, file.purpose, file.object) == (9, "ä.jsonl", "batch", "file")
    assert file.expires_at is not None
    assert abs(file.expires_at - file.created_at - 3600) <= 1
    assert (await client.files.content(file.id)).content == b"{}\n" * 3
    assert await client.files.retrieve(file.id) == file
    assert [each.id async for each in client.files.list()] == [file.id]
    assert (await client.files.delete(file.id)).deleted
    with pytest.raises(openai.NotFoundError):
        await client.files.content(file.id)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"purpose": "mischief"}, "purpose"),
        ({"file": ("n" * 300, b"x")}, "file"),
        ({"expires_after": {"anchor": "created_at", "seconds": 5}}, "expires_after[seconds]"),
        ({"expires_after": {"anchor": "now", "seconds": 5000}}, "expires_after[anchor]"),
    ],
)
async def test_a_refused_file_is_told_what_is_wrong(
    client: AsyncOpenAI, given: Any, named: str
) -> None:
    asked: Any = {"file": ("a", b"x"), "purpose": "batch", **given}
    with pytest.raises(openai.BadRequestError) as refused:
        await client.files.create(**asked)
    assert refused.value.param == named


async def test_a_batch_is_answered_in_the_order_of_its_input(client: AsyncOpenAI) -> None:
    asked = [line(f"q{number}") for number in range(20)]
    wrong = [line("bad", temperature=-1)]
    batch = await begun(client, *asked, *wrong, metadata={"of": "night"})
    assert batch.status == "validating"
    done = await ended(client, batch.id)
    assert done.status == "completed"
    counts = done.request_counts
    assert (counts.total, counts.completed, counts.failed) == (21, 20, 1)
    answers = await lines_of(client, done.output_file_id)
    assert [each["custom_id"] for each in answers] == [f"q{number}" for number in range(20)]
    response = answers[0]["response"]
    assert response["status_code"] == 200
    assert response["body"]["choices"][0]["message"]["content"] == "#### 14"
    assert response["body"]["adaptation"]["answer"] == "14"
    assert response["request_id"]
    ((error),) = await lines_of(client, done.error_file_id)
    assert error["response"]["status_code"] == 400
    assert error["response"]["body"]["error"]["param"] == "temperature"
    assert done.metadata == {"of": "night"}
    assert done.in_progress_at is not None
    assert [each.id async for each in client.batches.list()] == [batch.id]


@pytest.mark.parametrize(
    ("url", "body"),
    [
        (COMPLETIONS, {"prompt": STORY}),
        ("/v1/responses", {"input": STORY}),
        ("/v1/embeddings", {"input": "x", "model": EMBEDDER}),
    ],
)
async def test_every_endpoint_is_served(client: AsyncOpenAI, url: str, body: Any) -> None:
    batch = await begun(client, line("one", url, **body), url=url)
    done = await ended(client, batch.id)
    ((answer),) = await lines_of(client, done.output_file_id)
    assert answer["response"]["status_code"] == 200


async def test_an_input_with_faults_is_answered_by_nobody(
    server: Composed, client: AsyncOpenAI
) -> None:
    before = len(server.core.taken)
    batch = await begun(client, line("a"), line("a"), "no json")
    done = await ended(client, batch.id)
    assert done.status == "failed"
    found = [(fault.code, fault.line) for fault in done.errors.data]
    assert found == [("duplicate_custom_id", 2), ("invalid_json_line", 3)]
    assert len(server.core.taken) == before


async def test_a_batch_for_another_route_or_file_is_refused(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await begun(client, line("a"), url="/v1/admin/keys")
    assert refused.value.param == "endpoint"
    with pytest.raises(openai.NotFoundError) as missing:
        await client.batches.create(
            input_file_id="file-none", endpoint=CHAT, completion_window="24h"
        )
    assert missing.value.param == "input_file_id"
    file = await client.files.create(file=("a.jsonl", line("a").encode()), purpose="evals")
    with pytest.raises(openai.BadRequestError, match="purpose evals") as other:
        await client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
    assert other.value.param == "input_file_id"


async def test_a_batch_looks_its_input_up_once(server: Composed, client: AsyncOpenAI) -> None:
    await server.stop_batches()
    file = await client.files.create(file=("a.jsonl", line("a").encode()), purpose="batch")
    seen = list[str]()

    def note(*given: Any) -> None:
        seen.append(" ".join(given[2].split()))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        await client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert sum(" FROM file WHERE " in statement for statement in seen) == 1, seen


async def test_files_and_batches_are_their_tenants_own(server: Composed) -> None:
    acme, globex = Tenant(server, "acme", Role.USER), Tenant(server, "globex", Role.USER)
    mine, theirs = client_of(server, acme.key), client_of(server, globex.key)
    batch = await begun(mine, line("a"))
    with pytest.raises(openai.NotFoundError):
        await theirs.batches.retrieve(batch.id)
    with pytest.raises(openai.NotFoundError):
        await theirs.batches.cancel(batch.id)
    with pytest.raises(openai.NotFoundError):
        await theirs.files.content(batch.input_file_id)
    with pytest.raises(openai.NotFoundError):
        await theirs.batches.create(
            input_file_id=batch.input_file_id, endpoint=CHAT, completion_window="24h"
        )
    assert [each async for each in theirs.files.list()] == []
    done = await ended(mine, batch.id)
    ((answer),) = await lines_of(mine, done.output_file_id)
    assert answer["response"]["body"]["adaptation"]["answer"] == "14"
    report = await acme.ask("GET", f"/v1/reports/{answer['response']['body']['id']}")
    assert report.status_code == 200, "it was asked in the tenant's name"


async def test_a_batch_waits_for_its_tenants_quota(
    server: Composed, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, operator = Tenant(server, "acme"), Tenant(server, "default")
    await operator.ask("PUT", "/v1/admin/tenants/acme", concurrent_requests=1)
    monkeypatch.setattr(patience, "LEAST_WAIT_S", 0.01)
    monkeypatch.setattr(patience, "MOST_WAIT_S", 0.02)
    client, statuses, post = client_of(server, acme.key), [], server.batches._post

    async def noted(tenant: str, path: str, body: Body) -> httpx.Response:
        response = await post(tenant, path, body)
        statuses.append(response.status_code)
        return response

    server.batches._post = noted
    batch = await begun(client, *[line(str(number)) for number in range(12)])
    done = await ended(client, batch.id)
    assert (done.request_counts.completed, done.request_counts.failed) == (12, 0)
    assert set(statuses) == {200, 429}


async def test_a_request_that_cannot_be_answered_ends_no_other(
    server: Composed, client: AsyncOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LEAST_WAIT_S", 0.001)
    monkeypatch.setattr(patience, "MOST_WAIT_S", 0.001)
    post = server.batches._post

    async def broken(tenant: str, path: str, body: Body) -> httpx.Response:
        match json.loads(body.text).get("user"):
            case "raises":
                raise ValueError("no")
            case "busy":
                return httpx.Response(503, json={"error": {"message": "for ever"}})
        return await post(tenant, path, body)

    server.batches._post = broken
    asked = [line("a"), line("b", user="raises"), line("c", user="busy"), line("d", top_p=1e999)]
    done = await ended(client, (await begun(client, *asked, line("e"))).id)
    assert (done.status, done.request_counts.completed) == ("completed", 2)
    errors = {each["custom_id"]: each for each in await lines_of(client, done.error_file_id)}
    assert errors["b"]["error"]["code"] == "server_error"
    assert errors["c"]["response"]["status_code"] == 503
    assert errors["d"]["response"]["status_code"] == 400


async def test_after_its_turn_a_batch_lets_others_have_theirs(
    server: Composed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_work, "TENANTS", 1)
    monkeypatch.setattr(work, "SLICE_S", 0.05)
    long, short = Tenant(server, "long"), Tenant(server, "short")
    first = await begun(client_of(server, long.key), *[line(str(number)) for number in range(300)])
    second = await begun(client_of(server, short.key), line("only"))
    assert (await ended(client_of(server, short.key), second.id)).status == "completed"
    still = await client_of(server, long.key).batches.retrieve(first.id)
    assert still.status == "in_progress"
    done = await ended(client_of(server, long.key), first.id)
    assert (done.status, done.request_counts.completed) == ("completed", 300)


async def test_files_beyond_a_tenants_most_are_refused(server: Composed) -> None:
    acme, operator = Tenant(server, "acme"), Tenant(server, "default")
    await operator.ask("PUT", "/v1/admin/tenants/acme", files_mb=1)
    client = client_of(server, acme.key)
    await client.files.create(file=("a", b"x" * 600_000), purpose="batch")
    with pytest.raises(openai.ConflictError, match="delete some"):
        await client.files.create(file=("b", b"x" * 600_000), purpose="batch")


class Gate:
    """An engine that answers so many requests and then no more until it is opened."""

    def __init__(self, server: Composed, answered: int) -> None:
        self._post = server.batches._post
        self._left, self._open = answered, asyncio.Event()
        self.asked: list[str] = []
        server.batches._post = self

    async def __call__(self, tenant: str, path: str, body: Body) -> httpx.Response:
        self.asked.append(json.loads(body.text)["user"])
        self._left -= 1
        if self._left < 0:
            await self._open.wait()
        return await self._post(tenant, path, body)

    async def stands(self, client: AsyncOpenAI, batch_id: str, answered: int) -> None:
        """Wait until so many are answered, and no more will be."""
        async with asyncio.timeout(10):
            while True:
                counts = (await client.batches.retrieve(batch_id)).request_counts
                if counts.completed == answered:
                    return
                await asyncio.sleep(0.02)

    def open(self) -> None:
        self._open.set()


async def half_answered(
    server: Composed, client: AsyncOpenAI, answered: int, of: int
) -> tuple[Gate, Any]:
    """Return a batch of which so many requests are answered, and what holds the others up."""
    gate = Gate(server, answered)
    batch = await begun(client, *[line(str(number), user=str(number)) for number in range(of)])
    await gate.stands(client, batch.id, answered)
    return gate, batch


async def test_a_cancelled_batch_keeps_what_was_answered(
    server: Composed, client: AsyncOpenAI
) -> None:
    _, batch = await half_answered(server, client, 3, of=30)
    assert (await client.batches.cancel(batch.id)).status == "cancelling"
    done = await ended(client, batch.id)
    assert done.status == "cancelled"
    assert done.cancelled_at is not None
    assert 3 == done.request_counts.completed == len(await lines_of(client, done.output_file_id))
    with pytest.raises(openai.ConflictError):
        await client.batches.cancel(batch.id)


async def test_a_batch_whose_time_is_over_says_so_for_what_is_left(
    server: Composed, client: AsyncOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.routes.batches.WINDOW_S", 0.5)
    Gate(server, 3)
    batch = await begun(client, *[line(str(number), user=str(number)) for number in range(10)])
    done = await ended(client, batch.id)
    assert done.status == "expired"
    errors = await lines_of(client, done.error_file_id)
    assert {each["error"]["code"] for each in errors} == {"batch_expired"}
    answered = await lines_of(client, done.output_file_id) if done.output_file_id else []
    ids = [each["custom_id"] for each in [*answered, *errors]]
    assert sorted(ids, key=int) == [str(number) for number in range(10)]


async def test_another_server_goes_on_where_one_stopped(
    server: Composed, client: AsyncOpenAI
) -> None:
    gate, batch = await half_answered(server, client, 5, of=12)
    await server.stop_batches()
    asked_before = len(gate.asked)
    gate.open()
    other = BatchWorker(server.memory, gate, asyncio.Event(), 8, 2**20)
    working = asyncio.create_task(other.follow())
    done = await ended(client, batch.id)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert (done.status, done.request_counts.completed) == ("completed", 12)
    assert len(gate.asked) - asked_before == 7, "what was answered is not asked again"
    assert len(await lines_of(client, done.output_file_id)) == 12


async def test_a_batch_whose_input_goes_midway_keeps_what_was_answered(
    server: Composed, client: AsyncOpenAI
) -> None:
    _, batch = await half_answered(server, client, 5, of=12)
    await server.stop_batches()
    await client.files.delete(batch.input_file_id)
    server.start_batches()
    done = await ended(client, batch.id)
    assert (done.status, done.errors.data[0].code) == ("failed", "input_file_gone")
    assert len(await lines_of(client, done.output_file_id)) == 5


async def test_a_batch_whose_input_goes_has_failed(server: Composed, client: AsyncOpenAI) -> None:
    await server.stop_batches()
    batch = await begun(client, line("a"))
    await client.files.delete(batch.input_file_id)
    server.start_batches()
    done = await ended(client, batch.id)
    assert (done.status, done.errors.data[0].code) == ("failed", "input_file_gone")


async def test_no_line_of_a_batch_holds_the_event_loop(
    server: Composed, client: AsyncOpenAI
) -> None:
    longest = line("long", user="x", unknown=[0] * 600_000)
    most = 0.0
    for _ in range(3):
        with rounds() as spent:
            done = await ended(client, (await begun(client, longest, line("a"))).id)
        most = max(spent) / piece_s()
        if most < MOST:
            break
    assert most < MOST
    assert (done.request_counts.completed, done.request_counts.failed) == (1, 1)

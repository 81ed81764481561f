"""What a tenant may use, counted; limits that change while requests come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from memory.embedding.hashing import HashingEmbedder
from memory.errors import SpentError
from memory.memory import LongTermMemory
from memory.tenants import Limits
from memory.types import Draft, Message, Tier
from server.refusals.errors import ApiError
from server.tenancy.buckets import Bucket
from server.tenancy.quota import Quota, duration
from server.tenancy.quotas import Quotas
from server.tenancy.records_left import records_left
from tests.server.composed import ASK, MODEL, STORY, Composed, Reply, composed
from tests.server.tenancy.test_tenants_http import Tenant

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
CHAT = "/v1/chat/completions"


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_a_bucket_fills_evenly_up_to_a_minutes_worth() -> None:
    clock = Clock()
    bucket = Bucket(60, clock)
    bucket.take(60)
    assert (bucket.remaining, bucket.wait_s(1)) == (0, 1.0)
    clock.at += 30
    assert bucket.remaining == 30
    clock.at += 3600
    assert (bucket.remaining, bucket.full_in_s) == (60, 0.0)


def test_what_was_taken_beyond_is_owed() -> None:
    clock = Clock()
    bucket = Bucket(60, clock)
    bucket.take(90)
    assert (bucket.remaining, bucket.wait_s(1)) == (0, 31.0)
    clock.at += 31
    assert bucket.remaining == 1


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        (Limits(requests_per_minute=2), "requests_per_minute"),
        (Limits(concurrent_requests=2), "concurrent_requests"),
    ],
)
def test_the_request_that_is_too_many_is_told_which_limit_and_when_to_come_back(
    limits: Limits, named: str
) -> None:
    quota = Quota(limits, Clock())
    with quota.begin(), quota.begin(), pytest.raises(ApiError, match=named) as refused:
        quota.begin()
    assert refused.value.status == 429
    assert refused.value.retry_after_s
    if limits.concurrent_requests:
        with quota.begin():
            pass


def test_tokens_are_counted_when_they_are_known() -> None:
    clock = Clock()
    quota = Quota(Limits(tokens_per_minute=600), clock)
    with quota.begin():
        quota.spend_tokens(900)
    with pytest.raises(ApiError, match="tokens_per_minute") as refused:
        quota.begin()
    assert refused.value.retry_after_s == pytest.approx(30.1)
    assert quota.headers() == {
        "x-ratelimit-limit-tokens": "600",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "1m30s",
    }
    clock.at += 31
    with quota.begin():
        pass


def test_a_days_limit_begins_anew_at_midnight() -> None:
    clock = Clock()
    quota = Quota(Limits(training_steps_per_day=20), now=clock)
    quota.note_trained(15)
    quota.note_trained(15)
    assert quota.training_steps_left == 0
    clock.at += 86_400
    assert quota.training_steps_left == 20
    assert Quota(Limits()).training_steps_left is None


def saved(memory: LongTermMemory, tenant: str, *questions: str) -> list[str]:
    drafts = [
        Draft(
            tenant=tenant,
            messages=(Message(role="user", content=question),),
            answer="14",
            rationale="#### 14",
            tier=Tier.EXECUTABLE,
        )
        for question in questions
    ]
    return [one.record.id for one in memory.save_many(drafts)]


def test_records_of_a_day_are_counted_in_the_database(data_dir: Path) -> None:
    """A restart gives no new day, an erasure no new room, and another tenant takes none."""
    memory, limits = LongTermMemory.open(data_dir, HashingEmbedder()), Limits(records_per_day=3)
    assert records_left(memory.tenants, "acme", Limits()) is None
    first, _ = saved(memory, "acme", "12 + 7 - 5?", "15 - 1?")
    saved(memory, "globex", "7 + 7?")
    saved(memory, "acme", "15 - 1?")
    memory.forget("acme", first)
    memory.close()
    again = LongTermMemory.open(data_dir, HashingEmbedder())
    at = time.time()
    assert records_left(again.tenants, "acme", limits) == 1
    assert records_left(again.tenants, "globex", limits) == 2
    saved(again, "acme", "13 + 1?")
    with pytest.raises(SpentError, match="may save 3 records a day") as spent:
        records_left(again.tenants, "acme", limits)
    assert 0 < spent.value.retry_after_s <= 86_400
    assert records_left(again.tenants, "acme", limits, lambda: at + 86_400) == 3
    assert records_left(again.tenants, "acme", limits, lambda: at - 86_400) == 3, (
        "a clock was ahead"
    )
    again.close()


def test_limits_that_change_go_on_from_what_was_used() -> None:
    quota = Quota(Limits(requests_per_minute=2), Clock())
    with quota.begin(), quota.begin():
        quota.update(Limits(requests_per_minute=2, concurrent_requests=5))
        with pytest.raises(ApiError, match="requests_per_minute"):
            quota.begin()
        quota.update(Limits())
        with quota.begin():
            assert quota.headers() == {}


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0s"), (0.2, "1s"), (59.4, "1m0s"), (90, "1m30s")]
)
def test_durations_are_as_openai_writes_them(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


async def test_a_tenants_own_limits_come_before_the_servers(data_dir: Path) -> None:
    memory = LongTermMemory.open(data_dir, HashingEmbedder())
    defaults = Limits(requests_per_minute=10, records_per_day=5)
    quotas = Quotas(memory.tenants, defaults, memory.aside.reading)
    memory.tenants.set("acme", Limits(requests_per_minute=20, weight=2.0))
    assert (await quotas.of("acme")).limits == Limits(
        requests_per_minute=20, records_per_day=5, weight=2.0
    )
    assert (await quotas.of("globex")).limits == defaults
    assert (quotas.weight("acme"), quotas.weight("globex")) == (2.0, 1.0)
    memory.tenants.set("acme", Limits())
    quotas.forget()
    assert (await quotas.of("acme")).limits == defaults
    memory.close()


def test_names_that_come_once_are_not_remembered_for_ever(data_dir: Path) -> None:
    memory = LongTermMemory.open(data_dir, HashingEmbedder())
    quotas = Quotas(memory.tenants, Limits(tokens_per_minute=1), memory.aside.reading)
    quotas.spent("indebted", 100)
    quotas.trained("trained", 8)
    with quotas.now("at work").begin():
        for number in range(20_000):
            quotas.now(f"made-up-{number}")
        assert len(quotas._quotas) < 5000
        for tenant in ("indebted", "trained", "at work"):
            assert not quotas.now(tenant).is_unused
    memory.close()


@pytest.fixture
async def server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Composed]:
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("#### 14")) as found:
        yield found


async def test_one_tenants_limit_is_no_others(server: Composed) -> None:
    acme, globex = Tenant(server, "acme"), Tenant(server, "globex")
    operator = Tenant(server, "default")
    path = "/v1/admin/tenants/acme"
    assert (await acme.ask("PUT", path, requests_per_minute=100)).status_code == 403
    assert (await operator.ask("PUT", path, requests_per_minute=2)).json()["limits"] == {
        **Limits(requests_per_minute=2).model_dump()
    }
    answers = [await acme.ask("POST", CHAT, **ASK) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["x-ratelimit-limit-requests"] == "2"
    assert answers[0].headers["x-ratelimit-remaining-requests"] == "1"
    assert int(answers[2].headers["retry-after"]) in range(1, 31)
    assert answers[2].json()["error"]["code"] == "rate_limit_exceeded"
    assert (await globex.ask("POST", CHAT, **ASK)).status_code == 200


async def test_a_calibration_is_shown_beside_the_limits_and_stays_where_they_change(
    server: Composed,
) -> None:
    operator = Tenant(server, "default")
    server.memory.calibrations.set("acme", MODEL, None)
    server.memory.tenants.set("globex", Limits(weight=2))
    listed = (await operator.ask("GET", "/v1/admin/tenants")).json()["data"]
    assert [(own["id"], own["calibrations"]) for own in listed] == [
        ("acme", [MODEL]),
        ("globex", []),
    ]
    changed = (await operator.ask("PUT", "/v1/admin/tenants/acme", weight=3)).json()
    assert changed == (await operator.ask("GET", "/v1/admin/tenants/acme")).json()
    assert (changed["limits"]["weight"], changed["calibrations"]) == (3, [MODEL])


async def test_every_token_of_a_vote_counts_losing_ones_too(server: Composed) -> None:
    acme, operator = Tenant(server, "acme"), Tenant(server, "default")
    await operator.ask("PUT", "/v1/admin/tenants/acme", tokens_per_minute=60)
    before = server.core.generated_tokens
    answer = await acme.ask("POST", CHAT, **ASK, adaptation={"strategy": "consistency"})
    generated = server.core.generated_tokens - before
    assert generated > 0
    prompts = sum(len(request.prompt_token_ids) for request in server.core.taken)
    used = 60 - server.parts.quotas.now("acme")._tokens.content  # type: ignore[union-attr]
    assert used == pytest.approx(generated + prompts, abs=20)
    assert answer.headers["x-ratelimit-limit-tokens"] == "60"


async def test_tokens_that_are_embedded_count_as_those_of_the_engine_do(server: Composed) -> None:
    acme, operator = Tenant(server, "acme"), Tenant(server, "default")
    await operator.ask("PUT", "/v1/admin/tenants/acme", tokens_per_minute=60)
    asked = {"model": server.memory.embedder.id, "input": "one two " * 100}
    assert (await acme.ask("POST", "/v1/embeddings", **asked)).status_code == 200
    refused = await acme.ask("POST", "/v1/embeddings", **asked)
    assert (refused.status_code, "tokens_per_minute" in refused.text) == (429, True)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tokenize", {"model": MODEL, "prompt": STORY}),
        ("/detokenize", {"model": MODEL, "tokens": [1, 2]}),
        ("/v1/messages/count_tokens", ASK),
    ],
)
async def test_what_the_tokenizer_alone_answers_is_a_request_too(
    server: Composed, path: str, body: dict[str, Any]
) -> None:
    acme, operator = Tenant(server, "acme"), Tenant(server, "default")
    await operator.ask("PUT", "/v1/admin/tenants/acme", requests_per_minute=1)
    first, second = [await acme.ask("POST", path, **body) for _ in range(2)]
    assert (first.status_code, second.status_code) == (200, 429)
    assert first.headers["x-ratelimit-remaining-requests"] == "0"


async def test_a_day_without_records_left_saves_none_and_says_so(server: Composed) -> None:
    acme, operator = Tenant(server, "acme"), Tenant(server, "default")
    await operator.ask("PUT", "/v1/admin/tenants/acme", records_per_day=0)
    answer = (await acme.ask("POST", CHAT, **ASK)).json()
    assert answer["adaptation"]["memory"]["saved"] is None
    assert "records_per_day" in answer["adaptation"]["memory"]["reason"]
    said = {"completion_id": answer["id"], "verdict": "correct"}
    refused = await acme.ask("POST", "/v1/feedback", **said)
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    wrong = {"completion_id": answer["id"], "verdict": "incorrect"}
    assert (await acme.ask("POST", "/v1/feedback", **wrong)).status_code == 200


async def test_an_import_stores_what_fits_into_the_day_and_says_so(server: Composed) -> None:
    acme, operator = Tenant(server, "acme"), Tenant(server, "default")
    await operator.ask("PUT", "/v1/admin/tenants/acme", records_per_day=3)
    lines = [f'{{"question": "What is {n} + {n}?", "answer": "{2 * n}"}}' for n in range(5)]

    async def imported(*some: str) -> httpx.Response:
        body = "\n".join(some)
        return await server.http.post("/v1/memory/import", content=body, headers=acme.headers)

    assert (await imported(*lines[:2])).json()["imported"] == 2
    refused = await imported(*lines)
    assert refused.status_code == 429
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert "3 lines are stored" in error["message"]
    assert "3 records a day (records_per_day)" in error["message"]
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert sum(1 for _ in server.memory.walk("acme")) == 3
    answer = (await acme.ask("POST", CHAT, **ASK)).json()
    assert "records_per_day" in answer["adaptation"]["memory"]["reason"]
    await operator.ask("PUT", "/v1/admin/tenants/acme", records_per_day=5)
    again = (await imported(*lines)).json()
    assert (again["confirmed"], again["imported"]) == (3, 2)


@pytest.mark.parametrize("wanted", [False, True])
async def test_use_is_counted_by_tenant_where_the_operator_asks_for_it(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    folder, said = data_dir.parent, lambda _: Reply("#### 14")
    async with composed(folder, monkeypatch, said, tenant_metrics=wanted) as server:
        acme, globex = Tenant(server, "acme"), Tenant(server, "globex")
        await acme.ask("POST", CHAT, **ASK)
        for _ in range(2):
            await globex.ask("POST", CHAT, **ASK, adaptation={"strategy": "plain"})
        if not wanted:
            assert server.parts.quotas.use is None
            return
        assert server.parts.quotas.use is not None
        found = {
            (sample.name, sample.labels["tenant"]): sample.value
            for series in (server.parts.quotas.use.requests, server.parts.quotas.use.tokens)
            for metric in series.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        }
        requests, tokens = "whet_tenant_requests_total", "whet_tenant_tokens_total"
        assert (found[requests, "acme"], found[requests, "globex"]) == (1, 2)
        assert found[tokens, "acme"] > 0
        assert found[tokens, "globex"] > 0
        assert len(found) == 4


async def test_requests_reach_the_engine_by_turns(server: Composed) -> None:
    acme, globex = Tenant(server, "acme"), Tenant(server, "globex")
    await acme.ask("POST", CHAT, **ASK, priority=-1000, adaptation={"strategy": "plain"})
    priorities = [request.priority for request in server.core.taken]
    assert priorities[-1] >= 0, "a client's own priority is dropped"
    await globex.ask("POST", CHAT, **ASK)
    assert all(request.priority >= 0 for request in server.core.taken)


async def test_a_response_in_the_background_is_at_work_too(
    server: Composed, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, globex = Tenant(server, "acme"), Tenant(server, "globex")
    operator, held = Tenant(server, "default"), asyncio.Event()
    await operator.ask("PUT", "/v1/admin/tenants/acme", concurrent_requests=1)
    server.core.script = lambda _: Reply("#### 14", gate=held)
    asked = {"model": MODEL, "input": STORY, "background": True}
    made = await acme.ask("POST", "/v1/responses", **asked)
    assert made.status_code == 200
    refused = await acme.ask("POST", "/v1/responses", **asked)
    assert "concurrent_requests" in refused.json()["error"]["message"]
    assert (await globex.ask("POST", "/v1/responses", **asked)).status_code == 200
    held.set()
    deadline = time.monotonic() + 30
    while (await acme.ask("POST", "/v1/responses", **asked)).status_code == 429:
        await asyncio.sleep(0.01)
        assert time.monotonic() < deadline


async def test_a_customer_is_not_told_what_others_leave(server: Composed) -> None:
    acme, operator = Tenant(server, "acme"), Tenant(server, "default")
    name = "x-ratelimit-remaining-requests"
    assert name not in (await acme.ask("POST", CHAT, **ASK)).headers
    assert name in (await operator.ask("POST", CHAT, **ASK)).headers


@pytest.mark.parametrize(
    "limits",
    [
        Limits(concurrent_requests=8),
        Limits(requests_per_minute=8),
        Limits(tokens_per_minute=8),
    ],
)
def test_a_batch_leaves_half_of_every_limit_to_its_tenants_people(limits: Limits) -> None:
    quota = Quota(limits, Clock())
    with ExitStack() as stack:
        for in_batch in (True, False):
            for _ in range(4):
                stack.enter_context(quota.begin(in_batch=in_batch))
                quota.spend_tokens(1)
            with pytest.raises(ApiError):
                quota.begin(in_batch=True)
        with pytest.raises(ApiError):
            quota.begin()


def test_a_batch_gets_somewhere_under_the_smallest_limits() -> None:
    smallest = Limits(concurrent_requests=1, requests_per_minute=1, tokens_per_minute=1)
    quota = Quota(smallest, Clock())
    with quota.begin(in_batch=True):
        assert not quota.is_unused

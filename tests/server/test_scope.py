"""The champion answers questions near what it learned from; the exact base has the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from adaptation.options import Options, Strategy
from adaptation.report import Report, ScopeReport, StopReason
from adaptation.types import Query
from memory.errors import StorageUnavailableError
from memory.types import Draft, Message, Tier
from memory.versions.learned import Learned
from server.adapters import scope as module
from server.adapters.scope import Scope
from server.adapters.trials import Trials
from server.telemetry.metrics import Metrics
from server.tenancy.principal import caller
from tests.server.composed import MODEL, STORY, Composed, Reply, composed
from tests.server.registered import register

Serve = Callable[..., AbstractAsyncContextManager[Composed]]
FAR = "Who wrote the Odyssey?"
NEAR = STORY.replace("12", "31")
PLAIN = {"strategy": "plain", "memory": {"write": False}}
VOTED = {"strategy": "consistency", "memory": {"write": False, "read": False}}
pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")


@pytest.fixture
def serve(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Return what serves with an engine that tells whether an adapter is applied."""

    def build(**settings: Any) -> AbstractAsyncContextManager[Composed]:
        def script(request: Any) -> Reply:
            return Reply("#### 2" if request.lora_request else "#### 1")

        return composed(data_dir.parent, monkeypatch, script, **settings)

    return build


def saved(server: Composed, count: int = 3, tenant: str = "default") -> list[str]:
    """Remember questions like the story, and return the records' ids."""
    drafts = [
        Draft(
            tenant=tenant,
            messages=(Message(role="user", content=STORY.replace("12", str(20 + number))),),
            answer="2",
            rationale="#### 2",
            tier=Tier.FEEDBACK,
        )
        for number in range(count)
    ]
    return [each.record.id for each in server.memory.save_many(drafts)]


async def promote(server: Composed, folder: Path, ids: list[str], value: float = 1.0) -> str:
    version = register(server.memory, folder, value, record_ids=ids)
    server.memory.adapters.promote("default", version.id)
    await server.parts.champions.refresh()
    server.core.taken.clear()
    return version.id


def ask(question: str) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": question}]}


def given(server: Composed) -> list[tuple[Any, str, Any]]:
    """What the engine was asked since the last look."""
    taken = [
        (r.prompt_token_ids, repr(r.sampling_params), r.lora_request) for r in server.core.taken
    ]
    server.core.taken.clear()
    return taken


@pytest.mark.parametrize("adaptation", [PLAIN, VOTED], ids=["plain", "voted"])
async def test_a_near_question_is_the_champions_and_a_far_one_the_bases(
    serve: Serve, tmp_path: Path, adaptation: dict[str, Any]
) -> None:
    async with serve() as server:
        ids = saved(server)
        version = await promote(server, tmp_path, ids)
        near = await server.chat(**ask(NEAR), adaptation=adaptation)
        assert near["choices"][0]["message"]["content"] == "#### 2"
        scope = near["adaptation"]["scope"]
        assert (scope["champion"], scope["within"], scope["reason"]) == (version, True, None)
        assert scope["nearest"]["id"] in ids
        assert scope["nearest"]["similarity"] >= 0.7
        far = await server.chat(**ask(FAR), adaptation=adaptation)
        assert far["choices"][0]["message"]["content"] == "#### 1"
        scope = far["adaptation"]["scope"]
        assert (scope["champion"], scope["within"]) == (version, False)
        assert scope["nearest"]["similarity"] < 0.7


@pytest.mark.parametrize("adaptation", [PLAIN, VOTED], ids=["plain", "voted"])
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
async def test_out_of_scope_the_engine_is_asked_as_if_there_were_no_champion(
    serve: Serve, tmp_path: Path, adaptation: dict[str, Any], streams: bool
) -> None:
    async def asked(server: Composed) -> list[Any]:
        body = {**ask(FAR), "adaptation": adaptation, "seed": 7}
        if streams:
            await server.events("/v1/chat/completions", **body)
        else:
            await server.chat(**body)
        return given(server)

    async with serve() as server:
        before = await asked(server)
        await promote(server, tmp_path, saved(server))
        assert await asked(server) == before
        assert all(adapter is None for _, _, adapter in before)


async def test_each_prompt_of_a_request_is_placed_by_itself(serve: Serve, tmp_path: Path) -> None:
    async with serve() as server:
        await promote(server, tmp_path, saved(server))
        prompts = [NEAR, FAR, STORY]
        body = {"model": MODEL, "prompt": prompts, "max_tokens": 20, "adaptation": PLAIN}
        answer = await server.post("/v1/completions", **body)
        assert [choice["text"] for choice in answer["choices"]] == ["#### 2", "#### 1", "#### 2"]


async def test_told_to_answer_all_the_champion_does_and_nothing_is_compared(
    serve: Serve, tmp_path: Path
) -> None:
    async with serve(champion_scope="all") as server:
        await promote(server, tmp_path, saved(server))
        answer = await server.chat(**ask(FAR), adaptation=PLAIN)
        assert answer["choices"][0]["message"]["content"] == "#### 2"
        assert answer["adaptation"]["scope"] is None
        message = {**ask(FAR), "max_tokens": 9}
        assert (await server.post("/v1/messages", **message))["content"][0]["text"] == "#### 2"


async def test_a_champion_of_unknown_origin_answers_all(serve: Serve, tmp_path: Path) -> None:
    async with serve() as server:
        await promote(server, tmp_path, [])
        answer = await server.chat(**ask(FAR), adaptation=PLAIN)
        assert answer["choices"][0]["message"]["content"] == "#### 2"
        assert answer["adaptation"]["scope"] is None


async def test_what_cannot_be_placed_is_the_bases(serve: Serve, tmp_path: Path) -> None:
    async with serve() as server:
        ids = saved(server)
        await promote(server, tmp_path, ids)
        message = {**ask(NEAR), "max_tokens": 9}
        assert (await server.post("/v1/messages", **message))["content"][0]["text"] == "#### 1"
        blank = await server.chat(**ask(" "), adaptation=PLAIN)
        assert blank["adaptation"]["scope"]["reason"] == module.UNASKED
        assert blank["choices"][0]["message"]["content"] == "#### 1"
        for record_id in ids:
            server.memory.forget("default", record_id)
        await promote(server, tmp_path, ["rec_gone"], value=2.0)
        answer = await server.chat(**ask(NEAR), adaptation=PLAIN)
        assert answer["adaptation"]["scope"]["reason"] == module.UNEMBEDDED
        assert answer["choices"][0]["message"]["content"] == "#### 1"


async def test_a_memory_that_fails_or_hangs_leaves_the_base_and_costs_no_request(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def fail(tenant: str, version: str) -> Learned:
        raise StorageUnavailableError("the disk is gone")

    def hang(tenant: str, version: str) -> Learned:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        return Learned(0, (), module.np.zeros((0, 1), "f4"))

    async with serve() as server:
        await promote(server, tmp_path, saved(server))
        whole = server.memory.learned.of
        monkeypatch.setattr(server.memory.learned, "of", fail)
        failed = await server.chat(**ask(NEAR), adaptation=PLAIN)
        assert "the disk is gone" in failed["adaptation"]["scope"]["reason"]
        monkeypatch.setattr(server.memory.learned, "of", hang)
        monkeypatch.setattr(module, "WAIT_S", 0.05)
        hung = await server.chat(**ask(NEAR), adaptation=PLAIN)
        assert "did not answer within" in hung["adaptation"]["scope"]["reason"]
        for answer in (failed, hung):
            assert answer["choices"][0]["message"]["content"] == "#### 1"
        monkeypatch.setattr(server.memory.learned, "of", whole)
        release.set()


async def test_what_is_read_again_is_served_meanwhile_and_then_replaced(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REREAD_S", -1.0)
    async with serve() as server:
        ids = saved(server)
        await promote(server, tmp_path, ids)
        for record_id in ids[1:]:
            server.memory.forget("default", record_id)
        first = await server.chat(**ask(NEAR), adaptation=PLAIN)
        assert first["adaptation"]["scope"]["nearest"]["id"] == ids[0]
        server.memory.forget("default", ids[0])
        async with asyncio.timeout(10):
            while True:
                answer = await server.chat(**ask(NEAR), adaptation=PLAIN)
                if answer["adaptation"]["scope"]["reason"] == module.UNEMBEDDED:
                    break


async def test_a_model_asked_for_by_name_answers_whatever_it_is_asked(
    serve: Serve, tmp_path: Path
) -> None:
    async with serve() as server:
        ids = saved(server)
        name = f"ft:{MODEL}:whet::abc123"
        register(server.memory, tmp_path, 5.0, record_ids=ids, name=name)
        answer = await server.chat(**{**ask(FAR), "model": f"{name}:plain"})
        assert answer["choices"][0]["message"]["content"] == "#### 2"
        assert answer["adaptation"]["scope"] is None


async def test_a_question_out_of_scope_takes_no_place_from_other_tenants(
    serve: Serve, tmp_path: Path
) -> None:
    async with serve() as server:
        champions = server.parts.champions
        others = ["acme", "globex"]
        for number, tenant in enumerate(others):
            ids = saved(server, tenant=tenant)
            made = register(server.memory, tmp_path, 7.0 + number, tenant=tenant, record_ids=ids)
            server.memory.adapters.promote(tenant, made.id)
        await champions.refresh()
        await promote(server, tmp_path, saved(server))
        held = [champions.of(tenant).adapter for tenant in others]
        assert None not in held
        far = await server.chat(**ask(FAR), adaptation=PLAIN)
        assert far["adaptation"]["scope"]["within"] is False
        assert [champions.of(tenant).adapter for tenant in others] == held
        near = await server.chat(**ask(NEAR), adaptation=PLAIN)
        assert near["choices"][0]["message"]["content"] == "#### 2"
        assert [champions.of(tenant).adapter for tenant in others] != held


async def test_the_version_that_answers_is_the_one_that_was_compared(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A promotion between the look and the answer is looked at anew."""
    async with serve() as server:
        old = await promote(server, tmp_path, saved(server))
        new = await promote(server, tmp_path, ["rec_gone"], value=2.0)
        monkeypatch.setattr(server.parts.champions, "version", lambda tenant: old)
        answer = await server.chat(**ask(NEAR), adaptation=PLAIN)
        scope = answer["adaptation"]["scope"]
        assert (scope["champion"], scope["within"]) == (new, False)
        assert answer["choices"][0]["message"]["content"] == "#### 1"


async def test_the_kept_report_of_an_answer_says_where_its_question_lay(
    serve: Serve, tmp_path: Path
) -> None:
    async with serve() as server:
        version = await promote(server, tmp_path, saved(server))
        for question, champion in ((NEAR, version), (FAR, None)):
            answer = await server.chat(**ask(question))
            kept = (await server.http.get(f"/v1/reports/{answer['id']}")).json()["adaptation"]
            assert kept["scope"] == answer["adaptation"]["scope"]
            traced = (await server.http.get(f"/v1/trace/{answer['id']}")).json()["data"][0]
            links = {link["relation"]: link["ids"] for link in traced["links"]}
            assert links.get("served through") == (champion and [champion])


async def test_work_that_no_request_asks_for_is_its_tenants_and_placed_like_a_request(
    serve: Serve, tmp_path: Path
) -> None:
    def query(tenant: str, question: str) -> Query:
        turn = Message(role="user", content=question)
        return Query(
            id="warm-0", tenant=tenant, messages=(turn,), engine_request=None, options=Options()
        )

    async with serve() as server:
        version = await promote(server, tmp_path, saved(server))
        scope = Scope(server.parts.champions, server.memory, Trials(server.memory, MODEL, 0.0), 0.7)
        for tenant, question, held in (
            ("default", NEAR, version),
            ("default", FAR, None),
            ("acme", NEAR, None),
        ):
            async with scope.hold(query(tenant, question)) as base:
                assert caller().tenant == tenant
                assert (base and base.version) == held
        assert caller().tenant == "default"


def test_decisions_are_counted() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for within in (True, False, False):
        scope = ScopeReport(champion="ad_1", within=within)
        metrics.observe(
            Report(
                strategy=Strategy.PLAIN,
                requested=Strategy.PLAIN,
                stop_reason=StopReason.SINGLE,
                scope=scope,
            )
        )
    for within, count in (("true", 1), ("false", 2)):
        labels = {"within": within}
        assert registry.get_sample_value("whet_champion_scope_total", labels) == count

"""A candidate answers a sticky share of what it could answer, until that decides."""

from __future__ import annotations

import asyncio
import shutil
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from memory.types import Draft, Message, Tier
from memory.versions.release import Stage
from server.adapters.shadowing import TRIES
from server.adapters.trials import lot
from tests.server.composed import MODEL, STORY, Composed, Reply, composed
from tests.server.registered import register

Serve = Callable[..., AbstractAsyncContextManager[Composed]]
FAR = "Who wrote the Odyssey?"
PLAIN = {"strategy": "plain"}
pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")


@pytest.fixture
def serve(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Return what serves with an engine that says through which version it was asked."""

    def script(request: Any) -> Reply:
        adapter = request.lora_request
        return Reply(Path(adapter.lora_path).name if adapter else "base")

    def build(**settings: Any) -> AbstractAsyncContextManager[Composed]:
        given = {"champion_share": 0.5} | settings
        return composed(data_dir.parent, monkeypatch, script, **given)

    return build


async def on_trial(server: Composed, folder: Path, champion: bool = True) -> tuple[str, str]:
    """Have a candidate tried beside a champion; return what is served otherwise, and it."""
    (saved,) = server.memory.save_many(
        [
            Draft(
                tenant="default",
                messages=(Message(role="user", content=STORY),),
                answer="14",
                rationale="#### 14",
                tier=Tier.FEEDBACK,
            )
        ]
    )
    served = "base"
    if champion:
        served = register(server.memory, folder, 1.0, record_ids=[saved.record.id]).id
        server.memory.adapters.promote("default", served)
    candidate = register(server.memory, folder, 2.0, record_ids=[saved.record.id]).id
    await server.parts.champions.refresh()
    await server.trials.refresh()
    return served, candidate


async def ask(server: Composed, user: str | None, question: str = STORY) -> dict[str, Any]:
    messages = [{"role": "user", "content": question}]
    named = {"safety_identifier": user} if user else {}
    return await server.post(
        "/v1/chat/completions", model=MODEL, messages=messages, adaptation=PLAIN, **named
    )


def said(answer: dict[str, Any]) -> str:
    content: str = answer["choices"][0]["message"]["content"]
    return content


def test_a_lot_is_fair_and_stays_with_its_owner() -> None:
    lots = [lot("ad_1", f"user {number}") for number in range(2_000)]
    assert lots == [lot("ad_1", f"user {number}") for number in range(2_000)]
    assert mean(each < 0.1 for each in lots) == pytest.approx(0.1, abs=0.03)
    again = [lot("ad_2", f"user {number}") for number in range(2_000)]
    both = mean(a < 0.5 and b < 0.5 for a, b in zip(lots, again, strict=True))
    assert both == pytest.approx(0.25, abs=0.04), "the next candidate has other users"


@pytest.mark.parametrize("champion", [True, False], ids=["champion", "base"])
async def test_each_user_stays_in_an_arm_and_is_answered_by_it(
    serve: Serve, tmp_path: Path, champion: bool
) -> None:
    async with serve() as server:
        served, candidate = await on_trial(server, tmp_path, champion)
        arms: dict[str, set[str]] = defaultdict(set)
        for user in [f"user {number}" for number in range(8)] * 2:
            answer = await ask(server, user)
            release = answer["adaptation"]["release"]
            assert release["candidate"] == candidate
            assert said(answer) == (candidate if release["arm"] == "candidate" else served)
            arms[user].add(release["arm"])
        assert all(len(each) == 1 for each in arms.values())
        assert set.union(*arms.values()) == {"candidate", "control"}


async def test_a_conversation_stays_in_an_arm_where_nobody_is_named(
    serve: Serve, tmp_path: Path
) -> None:
    async with serve() as server:
        await on_trial(server, tmp_path)
        opening = await ask(server, None)
        turns = [
            {"role": "user", "content": STORY},
            {"role": "assistant", "content": "14"},
            {"role": "user", "content": STORY.replace("12", "15")},
        ]
        later = await server.post(
            "/v1/chat/completions", model=MODEL, messages=turns, adaptation=PLAIN
        )
        assert later["adaptation"]["release"] == opening["adaptation"]["release"]


async def test_what_the_candidate_could_not_answer_is_no_part_of_the_trial(
    serve: Serve, tmp_path: Path
) -> None:
    async with serve() as server:
        await on_trial(server, tmp_path)
        for number in range(6):
            answer = await ask(server, f"user {number}", FAR)
            assert said(answer) == "base"
            assert answer["adaptation"]["release"] is None


async def test_without_a_share_nothing_is_tried(serve: Serve, tmp_path: Path) -> None:
    async with serve(champion_share=0.0) as server:
        served, _ = await on_trial(server, tmp_path)
        for number in range(6):
            assert said(await ask(server, f"user {number}")) == served


async def judge(server: Composed, *, better: bool) -> None:
    """Call right what one arm says, and wrong what the other does, until that is plenty."""
    counts = {"candidate": 0, "control": 0}
    number = 0
    while min(counts.values()) < 8:
        answer = await ask(server, f"user {number}")
        arm = answer["adaptation"]["release"]["arm"]
        verdict = "correct" if (arm == "candidate") is better else "incorrect"
        told = {"completion_id": answer["id"], "verdict": verdict}
        response = await server.http.post("/v1/feedback", json=told)
        assert response.status_code == 200, response.text
        counts[arm] += 1
        number += 1


async def test_a_candidate_that_helps_becomes_the_champion(serve: Serve, tmp_path: Path) -> None:
    async with serve(reuse=False) as server:
        served, candidate = await on_trial(server, tmp_path)
        await judge(server, better=True)
        await server.trials.refresh()
        await server.parts.champions.refresh()
        registry = server.memory.adapters
        champion = registry.alias("default", "champion")
        assert champion is not None
        assert champion.id == candidate
        previous = registry.alias("default", "previous")
        assert previous is not None
        assert previous.id == served
        for number in range(4):
            answer = await ask(server, f"user {number}")
            assert said(answer) == candidate
            assert answer["adaptation"]["release"] is None


async def test_one_that_helps_and_is_damaged_by_now_ends_its_own_trial_alone(
    serve: Serve, tmp_path: Path
) -> None:
    async with serve(reuse=False) as server:
        served, candidate = await on_trial(server, tmp_path)
        await judge(server, better=True)
        shutil.rmtree(server.memory.adapters.show("default", candidate).path)
        other = register(server.memory, tmp_path, 5.0, tenant="acme")
        await server.trials.refresh()
        rejected = server.memory.adapters.show("default", candidate).rejected
        assert "missing or damaged" in (rejected or "")
        champion = server.memory.adapters.alias("default", "champion")
        assert champion is not None
        assert champion.id == served
        assert {tenant: each.version for tenant, each in server.trials._on.items()} == {
            "acme": other
        }


async def test_a_candidate_that_hurts_is_taken_back_and_named(serve: Serve, tmp_path: Path) -> None:
    async with serve(reuse=False) as server:
        served, candidate = await on_trial(server, tmp_path)
        await judge(server, better=False)
        await server.trials.refresh()
        shown = (await server.http.get(f"/v1/adapters/{candidate}")).json()
        assert "live answers it helped 0, hurt 7" in shown["rejected"]
        assert shown["aliases"] == []
        for number in range(4):
            answer = await ask(server, f"user {number}")
            assert said(answer) == served
            assert answer["adaptation"]["release"] is None
        again = await server.http.post(f"/v1/adapters/{candidate}/offer")
        assert again.status_code == 409


async def test_a_trial_ends_by_hand(serve: Serve, tmp_path: Path) -> None:
    async with serve(champion_share=0.99) as server:
        served, candidate = await on_trial(server, tmp_path)
        assert said(await ask(server, "ann")) == candidate
        refused = await server.http.post(f"/v1/adapters/{served}/reject")
        assert refused.status_code == 409, "it is the champion"
        ended = (await server.http.post(f"/v1/adapters/{candidate}/reject")).json()
        assert (ended["rejected"], ended["aliases"]) == ("by hand", [])
        await server.parts.champions.refresh()
        await server.trials.refresh()
        answer = await ask(server, "ann")
        assert (said(answer), answer["adaptation"]["release"]) == (served, None)


async def test_one_that_cannot_be_loaded_costs_no_answer(serve: Serve, tmp_path: Path) -> None:
    async with serve() as server:
        served, candidate = await on_trial(server, tmp_path)
        folder = Path(server.memory.adapters.show("default", candidate).path)
        (folder / "adapter_model.safetensors").write_bytes(b"damaged")
        for number in range(6):
            answer = await ask(server, f"user {number}")
            assert said(answer) == served
            release = answer["adaptation"]["release"]
            assert release is None or release["arm"] == "control"


async def test_the_next_candidate_is_tried_when_the_last_is_gone(
    serve: Serve, tmp_path: Path
) -> None:
    async with serve(champion_share=0.99) as server:
        _, first = await on_trial(server, tmp_path)
        assert said(await ask(server, "ann")) == first
        server.memory.adapters.record_reject("default", first, "looked at again")
        await server.parts.champions.refresh()
        await server.trials.refresh()
        assert said(await ask(server, "ann")) != first
        record = server.memory.list("default")[0].id
        second = register(server.memory, tmp_path, 3.0, record_ids=[record]).id
        await server.parts.champions.refresh()
        await server.trials.refresh()
        assert said(await ask(server, "ann")) == second


async def test_a_new_champion_leaves_a_share_to_what_was_served_before(
    serve: Serve, tmp_path: Path
) -> None:
    async with serve(champion_share=0.0, champion_holdback=0.5, max_champions=3) as server:
        served, candidate = await on_trial(server, tmp_path)
        server.memory.adapters.promote("default", candidate)
        await server.parts.champions.refresh()
        await server.trials.refresh()
        arms = set()
        for number in range(8):
            answer = await ask(server, f"user {number}")
            release = answer["adaptation"]["release"]
            assert (release["candidate"], release["stage"]) == (candidate, "all")
            assert said(answer) == (candidate if release["arm"] == "candidate" else served)
            arms.add(release["arm"])
        assert arms == {"candidate", "control"}
        await judge(server, better=False)
        await server.trials.refresh()
        champion = server.memory.adapters.alias("default", "champion")
        assert champion is not None
        assert champion.id == served, "rolled back by itself"
        steps = server.memory.releases.of("default", candidate)
        assert steps[-1].stage is Stage.BACK
        assert "hurt 7" in steps[-1].reason


async def test_whoever_had_the_candidate_keeps_it_as_the_champion(
    serve: Serve, tmp_path: Path
) -> None:
    async with serve(champion_share=0.5, champion_holdback=0.4) as server:
        _, candidate = await on_trial(server, tmp_path, champion=False)
        users = [f"user {number}" for number in range(12)]
        tried = [user for user in users if said(await ask(server, user)) == candidate]
        assert 0 < len(tried) < len(users)
        server.memory.adapters.promote("default", candidate)
        await server.parts.champions.refresh()
        await server.trials.refresh()
        now = [user for user in users if said(await ask(server, user)) == candidate]
        assert set(tried) < set(now) < set(users)


async def test_a_new_champion_that_helps_is_kept_and_asked_by_all(
    serve: Serve, tmp_path: Path
) -> None:
    async with serve(champion_share=0.0, champion_holdback=0.5) as server:
        _, candidate = await on_trial(server, tmp_path, champion=False)
        server.memory.adapters.promote("default", candidate)
        await server.parts.champions.refresh()
        await server.trials.refresh()
        await judge(server, better=True)
        await server.trials.refresh()
        assert server.memory.releases.of("default", candidate)[-1].stage is Stage.KEPT
        answers = [await ask(server, f"user {number}") for number in range(8)]
        assert {said(answer) for answer in answers} == {candidate}


async def shadowed(server: Composed) -> str:
    """Ask with a verifier of the truth, and have the shadow answer."""
    body = {
        "messages": [{"role": "user", "content": STORY}],
        "adaptation": {
            "strategy": "consistency",
            "max_samples": 2,
            "verifiers": [{"type": "string_check", "operation": "eq", "reference": "14"}],
            "memory": {"write": False, "reuse": False},
        },
    }
    answer = await server.post("/v1/chat/completions", model=MODEL, **body)
    assert answer["adaptation"]["release"]["stage"] == "shadow"
    await server.shadowing.next(look_s=0.01)
    return said(answer)


@pytest.mark.parametrize("better", [True, False])
async def test_a_shadow_answers_unseen_and_decides(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, better: bool
) -> None:
    through: list[str | None] = []

    def script(request: Any) -> Reply:
        through.append(request.lora_request and Path(request.lora_request.lora_path).name)
        is_right = (through[-1] is not None) is better
        return Reply("#### 14" if is_right else "#### 15")

    given = {"champion_shadow": 1.0, "champion_share": 0.5, "stopping_rule": "fixed"}
    async with composed(data_dir.parent, monkeypatch, script, **given) as server:
        (_, candidate) = await on_trial(server, tmp_path, champion=False)
        server.memory.adapters.offer("default", candidate, Stage.SHADOW)
        await server.trials.refresh()
        for _ in range(7):
            through.clear()
            shown = await shadowed(server)
            assert shown == ("#### 15" if better else "#### 14"), "the base is shown"
            assert through[-1] == candidate
        seen = server.memory.shadows.of("default", candidate)
        assert (seen.total, seen.same, seen.pairs) == (7, 0, [(better, not better)] * 7)
        (record,) = server.memory.list("default")
        assert "confirmations" not in record.evidence, "a shadow leaves nothing behind"
        await server.trials.refresh()
        last = server.memory.releases.of("default", candidate)[-1]
        assert last.stage is (Stage.SHARE if better else Stage.BACK)


async def test_a_shadow_gives_way_to_whoever_asks(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with composed(
        data_dir.parent, monkeypatch, lambda _: Reply("#### 14"), champion_shadow=1.0
    ) as server:
        (_, candidate) = await on_trial(server, tmp_path, champion=False)
        server.memory.adapters.offer("default", candidate, Stage.SHADOW)
        await server.trials.refresh()
        monkeypatch.setattr(server.shadowing, "_is_busy", lambda: True)
        started = asyncio.Event()

        async def endless(query: object) -> Any:
            started.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(server.shadowing, "_answer", endless)
        body = {"strategy": "consistency", "memory": {"write": False, "reuse": False}}
        await server.chat(adaptation=body)
        for _ in range(TRIES):
            await server.shadowing.next(look_s=0.5)
            assert started.is_set()
        with pytest.raises(IndexError):
            await server.shadowing.next()
        assert server.memory.shadows.of("default", candidate).total == 0

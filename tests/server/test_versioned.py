"""Generations are asked for by their number, and served with exactly that version."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.adapters.versioned import alias_asked, version_asked
from tests.server.composed import ASK, MODEL, Composed, Reply, composed
from tests.server.registered import register

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
QUIET = {"adaptation": {"memory": {"write": False}}}


def seen(server: Composed) -> set[str | None]:
    """Return the folders of the adapters that the engine was asked through."""
    return {r.lora_request and Path(r.lora_request.lora_path).name for r in server.core.taken}


def test_a_number_stands_at_the_end_of_a_name() -> None:
    assert version_asked("whet-pebble@3") == ("whet-pebble", 3)
    assert version_asked("a@2@3") == ("a@2", 3)
    for other in ("whet-pebble", "@3", "a@0", "a@03", "a@x", "a@3 ", "ft:a:b::c@3"):
        assert version_asked(other) is None
    assert alias_asked("whet-pebble@3") == alias_asked("champion@3") == "champion@3"


async def test_a_generation_answers_by_its_number_under_every_strategy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(
        tmp_path, monkeypatch, lambda _: Reply("#### 14"), max_champions=3
    ) as server:
        first, second = (register(server.memory, tmp_path, value) for value in (1.0, 2.0))
        server.memory.adapters.promote("default", second.id)
        await server.parts.champions.refresh()
        async with server.parts.champions.use("default", "champion@1"):
            server.core.taken.clear()  # past the probes of its load
        for name in (f"{MODEL}@1", "champion@1", f"{MODEL}@1:plain", f"{MODEL}@1:consistency"):
            answer = await server.chat(model=name, **QUIET)
            assert answer["model"] == name.partition(":")[0]
            assert seen(server) == {first.id}
            server.core.taken.clear()
        await server.chat(**QUIET)
        assert seen(server) == {second.id}, "the champion answers those who name no generation"


async def test_an_unknown_rejected_or_foreign_generation_does_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, lambda _: Reply("#### 14")) as server:
        rejected = register(server.memory, tmp_path, 1.0)
        server.memory.adapters.record_reject("default", rejected.id, "worse")
        register(server.memory, tmp_path, 2.0, tenant="acme")
        register(server.memory, tmp_path, 3.0, tenant="acme")
        for name in (f"{MODEL}@1", f"{MODEL}@2", "champion@2", "another@1"):
            refused = await server.http.post("/v1/chat/completions", json={**ASK, "model": name})
            assert refused.status_code == 404
            assert refused.json()["error"]["code"] == "model_not_found"
            assert (await server.http.get(f"/v1/models/{name}")).status_code == 404


async def test_generations_are_listed_and_not_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, lambda _: Reply("#### 14")) as server:
        register(server.memory, tmp_path, 1.0)
        listed = (await server.http.get("/v1/models")).json()["data"]
        card = (await server.http.get(f"/v1/models/{MODEL}@1")).json()
        assert card in listed
        assert (card["root"], card["owned_by"]) == (MODEL, "default")
        refused = await server.http.delete(f"/v1/models/{MODEL}@1")
        assert refused.status_code == 400

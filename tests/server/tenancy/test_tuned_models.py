"""Fine-tuned models are asked for by name, beside what a tenant is served with."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from adaptation.errors import EngineError
from adaptation.options import Strategy
from adaptation.types import Adapter
from memory.memory import LongTermMemory
from server.adapters import champions as champions_module
from server.requests.request_options import split_model
from tests.server.composed import ASK, MODEL, Composed, Reply, composed
from tests.server.registered import register

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
NAME = "ft:whet-pebble:whet:units:abc123"
OTHER = "ft:whet-pebble:whet::def456"


def tuned(memory: LongTermMemory, folder: Path, name: str = NAME, tenant: str = "default") -> str:
    return register(memory, folder, float(len(name)), tenant=tenant, name=name).id


def seen(server: Composed) -> list[str | None]:
    """Return the folders of the adapters that the engine was asked through."""
    return [r.lora_request and Path(r.lora_request.lora_path).name for r in server.core.taken]


async def loaded(server: Composed, folder: Path) -> str:
    """Make a model whose adapter is in the engine, past the probes of its load."""
    own = tuned(server.memory, folder)
    async with server.parts.champions.use("default", NAME):
        server.core.taken.clear()
    return own


@pytest.mark.parametrize("strategy", [None, "plain", "consistency"])
async def test_a_model_answers_by_its_name_under_every_strategy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str | None
) -> None:
    async with composed(tmp_path, monkeypatch, lambda _: Reply("#### 14")) as server:
        own = await loaded(server, tmp_path)
        asked = NAME if strategy is None else f"{NAME}:{strategy}"
        answer = await server.chat(model=asked, adaptation={"memory": {"write": False}})
        assert answer["model"] == NAME
        assert answer["adaptation"]["strategy"] == (strategy or "consistency")
        assert set(seen(server)) == {own}
        server.core.taken.clear()
        base = await server.chat(adaptation={"memory": {"write": False}})
        assert base["model"] == MODEL
        assert set(seen(server)) == {None}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": ASK["messages"]}),
        ("/v1/completions", {"prompt": "2+2=", "max_tokens": 8}),
        ("/v1/responses", {"input": "2+2?"}),
    ],
)
async def test_every_route_and_stream_bears_the_models_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, Any]
) -> None:
    async with composed(tmp_path, monkeypatch, lambda _: Reply("#### 4")) as server:
        own = await loaded(server, tmp_path)
        assert (await server.post(path, model=NAME, **body))["model"] == NAME
        for event in await server.events(path, model=f"{NAME}:plain", **body):
            told = event.get("response", event)
            assert told.get("model", NAME) == NAME
        assert set(seen(server)) == {own}


async def test_another_tenants_model_is_one_that_does_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, lambda _: Reply("#### 14")) as server:
        tuned(server.memory, tmp_path, tenant="acme")
        for method, path in (
            ("POST", "/v1/chat/completions"),
            ("GET", f"/v1/models/{NAME}"),
            ("DELETE", f"/v1/models/{NAME}"),
        ):
            body = {**ASK, "model": NAME} if method == "POST" else None
            refused = await server.http.request(method, path, json=body)
            assert refused.status_code == 404
            assert refused.json()["error"] == {
                "message": f"The model `{NAME}` does not exist.",
                "type": "invalid_request_error",
                "param": "model",
                "code": "model_not_found",
            }
        listed = (await server.http.get("/v1/models")).json()["data"]
        assert NAME not in [model["id"] for model in listed]


async def test_a_model_is_listed_and_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, lambda _: Reply("#### 14")) as server:
        tuned(server.memory, tmp_path)
        await server.chat(model=NAME)
        card = (await server.http.get(f"/v1/models/{NAME}")).json()
        assert (card["id"], card["root"], card["owned_by"]) == (NAME, "whet-pebble", "default")
        listed = (await server.http.get("/v1/models")).json()["data"]
        assert card in listed
        gone = await server.http.delete(f"/v1/models/{NAME}")
        assert gone.json() == {"id": NAME, "object": "model", "deleted": True}
        again = await server.http.post("/v1/chat/completions", json={**ASK, "model": NAME})
        assert again.status_code == 404
        await server.parts.champions.refresh()
        assert server.parts.champions.of("default", NAME).adapter is None, "it holds no place"
        kept = await server.http.delete(f"/v1/models/{MODEL}")
        assert kept.status_code == 400


@pytest.mark.parametrize("strategy", ["plain", "consistency"])
async def test_a_model_that_is_deleted_while_it_is_waited_for_does_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    others = (OTHER, f"{OTHER}7")
    async with composed(tmp_path, monkeypatch, lambda _: Reply("14"), max_champions=2) as server:
        for name in (NAME, *others):
            tuned(server.memory, tmp_path, name)
        champions = server.parts.champions
        first, second = (champions.use("default", name) for name in others)
        async with first, second:
            asked = {**ASK, "model": f"{NAME}:{strategy}"}
            waiting = asyncio.create_task(server.http.post("/v1/chat/completions", json=asked))
            while NAME not in champions.awaited():  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0.01)
            await server.http.delete(f"/v1/models/{NAME}")
        refused = await waiting
        error = refused.json()["error"]
        assert (refused.status_code, error["param"]) == (404, "model"), error
        assert error["code"] == "model_not_found", "a client that is told 503 asks again"


async def test_more_models_than_places_take_turns_beside_the_champion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(
        tmp_path, monkeypatch, lambda _: Reply("#### 14"), max_champions=2
    ) as server:
        champion = register(server.memory, tmp_path, 99.0)
        server.memory.adapters.promote("default", champion.id)
        await server.parts.champions.refresh()
        names = [NAME, OTHER, f"{OTHER}7"]
        own = {name: tuned(server.memory, tmp_path, name) for name in names}
        for name in [*names, None, *reversed(names), None]:
            server.core.taken.clear()
            await server.chat(
                model=f"{name or MODEL}:plain", adaptation={"memory": {"write": False}}
            )
            assert seen(server)[-1] == (champion.id if name is None else own[name])


async def test_a_model_that_cannot_be_loaded_is_no_silent_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(champions_module, "WAIT_S", 0.1)
    async with composed(tmp_path, monkeypatch, lambda _: Reply("#### 14")) as server:
        register(server.memory, tmp_path, 3.0, base_model="another", name=NAME)
        refused = await server.http.post("/v1/chat/completions", json={**ASK, "model": NAME})
        assert refused.status_code == 503
        assert "it was trained for another" in refused.json()["error"]["message"]


async def test_a_model_that_could_not_be_loaded_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, lambda _: Reply("#### 14")) as server:
        folder = server.memory.adapters.show("default", tuned(server.memory, tmp_path)).path
        champions, away = server.parts.champions, shutil.move(folder, tmp_path / "away")
        for _ in range(2):
            refused = await server.http.post("/v1/chat/completions", json={**ASK, "model": NAME})
            assert refused.status_code == 503
            assert "files are missing" in refused.json()["error"]["message"]
        shutil.move(away, folder)
        await champions.refresh()
        assert (await server.chat(model=NAME))["model"] == NAME
        monkeypatch.setattr(champions.of("default", NAME)._engine, "load", refusing)
        await champions.reload()
        monkeypatch.undo()
        await champions.refresh()
        assert (await server.chat(model=NAME))["model"] == NAME, "after an engine that failed it"


async def refusing(adapter: Adapter) -> None:
    raise EngineError("out of memory")


def test_a_strategy_is_the_last_part_of_a_name() -> None:
    assert split_model(f"{NAME}:ttt") == (NAME, Strategy.TTT)
    assert split_model(NAME) == (NAME, None)
    assert split_model("ft:base:whet::plain") == ("ft:base:whet:", Strategy.PLAIN)

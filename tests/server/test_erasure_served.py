"""Erasure in a server that answers: what it keeps goes, and it serves what may be served."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from server.erasure.certificate import signer_of
from tests.server.composed import MODEL, Composed, Reply, composed
from tests.server.forgetting import CANARY, hits, live

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")


async def asked(server: Composed, question: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": question}]
    return await server.post("/v1/chat/completions", model=MODEL, messages=messages)


async def test_an_answer_that_became_a_record_is_forgotten_with_all_that_it_left(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = f"What does {CANARY} come to?"
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("#### 14")) as server:
        answer = await asked(server, question)
        told = {"completion_id": answer["id"], "verdict": "correct"}
        record = (await server.post("/v1/feedback", **told))["record"]["id"]
        assert (await asked(server, question))["adaptation"]["stop_reason"] == "remembered"
        assert server.memory.completions.flush()
        assert hits(server.memory)
        gone = await server.http.delete(f"/v1/memory/records/{record}")
        assert gone.json()["deleted"]
        assert server.memory.completions.flush()
        assert hits(server.memory) == []
        document = (await server.http.get(f"/v1/memory/records/{record}/certificate")).json()
        assert signer_of(document)
        assert document["statement"]["removed"]["completions"] == 2


async def test_a_server_ends_what_was_begun_before_it_started_and_follows_the_champion(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = live(data_dir, "default")
    async with composed(data_dir.parent, monkeypatch, lambda _: Reply("#### 14")) as server:
        memory = server.memory
        memory.forget("default", life.record.id)  # without what follows, as after a kill
        assert memory.adapters.show("default", life.learned.id).retired is None
        eraser, looked = server.parts.eraser, asyncio.Event()
        finish, loop = eraser.finish, asyncio.get_running_loop()

        def finishing() -> None:
            finish()
            loop.call_soon_threadsafe(looked.set)

        monkeypatch.setattr(eraser, "finish", finishing)
        following = asyncio.create_task(eraser.follow())
        await looked.wait()
        assert memory.erasures.unfinished() == []
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        assert [*life.kept.parent.iterdir()] == []
        listed = (await server.http.get("/v1/adapters")).json()["data"]
        aliases = {each["id"]: each["aliases"] for each in listed}
        assert aliases == {life.learned.id: [], life.clean.id: ["champion"]}

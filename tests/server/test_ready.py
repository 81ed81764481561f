"""`/ready` asks its parts now and then, and never waits long for one that hangs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from memory.embedding.embedder import create_embedder
from memory.index import cache
from memory.jsonl import import_lines
from memory.memory import LongTermMemory
from server.routes.ready import Probe
from tests.server.composed import Reply, composed


async def test_many_callers_share_one_look_at_the_storage() -> None:
    looks: list[None] = []
    probe = Probe(lambda: looks.append(None))
    await asyncio.gather(*(probe.problem() for _ in range(50)))
    assert await probe.problem() is None
    assert len(looks) == 1


async def test_a_word_that_is_old_is_asked_for_again() -> None:
    words = iter([None, "the disk is full", None])
    probe = Probe(lambda: next(words), age_s=0)
    assert [await probe.problem() for _ in range(3)] == [None, "the disk is full", None]


async def test_a_check_that_hangs_is_named_and_asked_once() -> None:
    let_go, looks = threading.Event(), []

    def hang() -> None:
        looks.append(None)
        let_go.wait()

    probe = Probe(hang, age_s=0)
    said = [await probe.problem(patience_s=0.01) for _ in range(3)]
    let_go.set()
    assert said == ["does not answer"] * 3
    assert len(looks) == 1


@pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
async def test_it_answers_while_records_are_embedded_anew(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After another `--embedder` that takes minutes; here, for as long as the test likes."""
    older = create_embedder("hashing")
    monkeypatch.setattr(older, "id", "another@1")
    monkeypatch.setattr(cache, "BATCH", 8)
    folder, let_go, begun = data_dir.parent, threading.Event(), threading.Event()
    lines = [f'{{"question": "What is {n} + 5?", "answer": "{n + 5}"}}' for n in range(40)]
    with closing(LongTermMemory.open(folder / "data", older)) as memory:
        import_lines(memory, "default", lines)
    async with composed(folder, monkeypatch, lambda _: Reply("#### 14")) as server:
        embed = server.memory.embedder.embed

        def held(texts: Sequence[str]) -> np.ndarray:
            if threading.current_thread().name.startswith("memory-backfill"):
                begun.set()
                let_go.wait()
            return embed(texts)

        monkeypatch.setattr(server.memory.embedder, "embed", held)
        try:
            await server.chat()
            assert await asyncio.to_thread(begun.wait, 30)
            ready = await asyncio.wait_for(server.http.get("/ready"), 30)
            assert (ready.status_code, ready.json()["memory"]) == (200, "ready")
            assert (await asyncio.wait_for(server.chat(), 30))["adaptation"]["answer"] == "14"
            assert server.memory.lacking("default") > 0
        finally:
            let_go.set()

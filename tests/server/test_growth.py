"""What a server keeps of requests that have ended: nothing that grows with their number."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.server.composed import MODEL, Composed, Reply, composed

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
KINDS = ("plain", "consistency", "demonstrations", "ttt", "best_of_n", "auto")
ROUND = 60
"""Requests between two counts."""
PER_REQUEST = 4.0
"""Objects of all types together: caches and pools that fill bring two, and a leak keeps a note, a
report and their parts, of which there are dozens."""


def script(request: Any) -> Reply:
    return Reply("It is\n#### 17")


async def ask(server: Composed, numbers: itertools.count[int]) -> None:
    """Ask in all ways: strategies, streams, embeddings, responses that are kept, feedback."""
    for number in itertools.islice(numbers, ROUND):
        question = f"Tom has {number} apples and gives {number} away. How many are left?"
        turns = [{"role": "user", "content": question}]
        asked = {"model": f"{MODEL}:{KINDS[number % len(KINDS)]}", "messages": turns}
        if number % 5 == 1:
            await server.events("/v1/chat/completions", **asked)
            continue
        answer = await server.post("/v1/chat/completions", **asked)
        if number % 5 == 2:
            word = {"completion_id": answer["id"], "verdict": "correct"}
            await server.post("/v1/feedback", **word)
            await server.post("/v1/responses", model=MODEL, input=question)
            embedder = server.memory.embedder.id
            await server.post("/v1/embeddings", model=embedder, input=question)


async def kept(server: Composed) -> Counter[str]:
    """Count what there is, by type, once everything has come to rest."""
    await server.parts.background.settle()
    await asyncio.to_thread(server.memory.completions.flush)
    server.core.taken.clear()
    server.core.aborted.clear()
    server.trainer.jobs.clear()
    gc.collect()
    return Counter(str(type(each)) for each in gc.get_objects())


async def test_no_object_stays_for_each_request(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = itertools.count()
    async with composed(data_dir.parent, monkeypatch, script) as server:
        for _ in range(3):  # caches and pools fill
            await ask(server, numbers)
        before = await kept(server)
        await ask(server, numbers)
        await ask(server, numbers)
        after = await kept(server)
    more = after - before
    assert sum(more.values()) < PER_REQUEST * 2 * ROUND, more.most_common(10)

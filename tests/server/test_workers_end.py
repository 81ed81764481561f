"""What works in the background ends when it is told to, also at the moment it gets news."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from server.batches.worker import BatchWorker
from server.evals.worker import EvalWorker
from tests.server.named import ONLY_M


async def nothing(*_: object) -> None:
    """There is nothing to work on."""


Make = Callable[[Any, asyncio.Event], BatchWorker | EvalWorker]
MAKE: dict[str, Make] = {
    "batches": lambda memory, news: BatchWorker(memory, MagicMock(), news, 1, 1),
    "evals": lambda memory, news: EvalWorker(memory, MagicMock(), news, 1, 1, "hashing", ONLY_M),
}


@pytest.mark.parametrize("steps", range(6))
@pytest.mark.parametrize("kind", MAKE)
async def test_news_does_not_keep_it_from_ending(kind: str, steps: int) -> None:
    """`asyncio.wait_for` of Python 3.11 forgets that it was cancelled where both come at once."""
    memory, news = MagicMock(), asyncio.Event()
    memory.aside = SimpleNamespace(writing=SimpleNamespace(run=nothing))
    following = asyncio.create_task(MAKE[kind](memory, news).follow())
    await asyncio.sleep(0.05)
    news.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    following.cancel()
    done, _ = await asyncio.wait([following], timeout=10)
    following.cancel()
    assert done

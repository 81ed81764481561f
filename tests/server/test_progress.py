"""A vote that takes long says in the log how far it is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.options import Options
from adaptation.types import Draw, Query
from memory.types import Message
from server.telemetry.progress import WatchedEngine

QUERY = Query(
    id="chatcmpl-7",
    tenant="default",
    messages=(Message(role="user", content="What is 40 + 2?"),),
    engine_request=None,
    options=Options(),
)


class Lines(logging.Handler):
    """Tells when a line has come."""

    def __init__(self) -> None:
        super().__init__()
        self.come: asyncio.Queue[str] = asyncio.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self.come.put_nowait(record.getMessage())


@pytest.fixture
def lines() -> Iterator[Lines]:
    logger, handler = logging.getLogger("server.telemetry.progress"), Lines()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


async def draw(engine: WatchedEngine, index: int) -> None:
    async for _ in engine.sample(QUERY, Draw(index, f"r-{index}", 0.8, None, None)):
        pass


async def test_the_log_tells_samples_and_tokens_until_the_vote_ends(lines: Lines) -> None:
    gate = asyncio.Event()
    engine = WatchedEngine(
        FakeEngine(lambda query, draw: Reply("#### 42", 4, gate if draw.index else None)), 0.02
    )
    async with engine.telling(QUERY):
        await draw(engine, 0)
        held = asyncio.create_task(draw(engine, 1))
        while "1 of 2 samples done, 7 tokens" not in (line := await lines.come.get()):
            pass
        assert "chatcmpl-7 (consistency)" in line
        gate.set()
        await held
    await asyncio.sleep(0.1)
    while not lines.come.empty():
        lines.come.get_nowait()
    await asyncio.sleep(0.1)
    assert lines.come.empty(), "what has ended is not under way"

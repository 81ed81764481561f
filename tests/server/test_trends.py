"""Answers that get worse, or no better, are told of once: in the log and in the metrics."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from adaptation.background import Background
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.types import Trial
from memory.versions.window import SIZE
from server.adapters import trends
from server.adapters.trends import EVERY, Trends
from server.telemetry.metrics import Metrics


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[LongTermMemory]:
    opened = LongTermMemory.open(tmp_path, create_embedder("hashing"))
    yield opened
    opened.close()


class Watched:
    """A tenant's answers, noted in the ledger, and what is told of them."""

    def __init__(self, memory: LongTermMemory, caplog: pytest.LogCaptureFixture) -> None:
        self.registry = CollectorRegistry()
        self.background = Background()
        metrics = Metrics(self.registry)
        self.trends = Trends(memory.windows, memory.aside, self.background, metrics)
        self._memory, self._caplog, self._began, self._noted = memory, caplog, time.time(), 0

    async def answers(self, right: int, of: int = SIZE) -> list[str]:
        """Give so many answers, look after the last, and return what was logged."""
        self._caplog.clear()
        self.note(right, of)
        await self.look()
        return self._caplog.messages

    def note(self, right: int, of: int = SIZE) -> None:
        first, self._noted = self._noted, self._noted + of
        trials = [
            (
                f"q{first + n}",
                Trial(strategy="consistency", right=n < right, at=self._began + first + n),
            )
            for n in range(of)
        ]
        self._memory.ledger.note("acme", trials)

    async def look(self) -> None:
        for _ in range(EVERY):
            self.trends.answered("acme")
        await self.background.settle()

    def changes(self, trend: str) -> float:
        found = self.registry.get_sample_value("whet_trend_changes_total", {"trend": trend})
        return found or 0.0


@pytest.fixture
def watched(memory: LongTermMemory, caplog: pytest.LogCaptureFixture) -> Watched:
    caplog.set_level(logging.WARNING, logger="server.adapters.trends")
    return Watched(memory, caplog)


async def test_each_change_is_told_once_and_the_way_back_to_steady(watched: Watched) -> None:
    assert await watched.answers(right=196) == [], "nothing is before them"
    (worse,) = await watched.answers(right=100)
    assert worse.startswith("answers of tenant acme got worse: 200 answers")
    assert "100 of 200 right; before: 200 answers" in worse
    assert "196 of 200 right" in worse
    await watched.look()
    assert watched.changes("degrading") == 1, "it is not told again of the same"
    (idle,) = await watched.answers(right=100)
    assert idle.startswith("answers of tenant acme get no better")
    (well,) = await watched.answers(right=196)
    assert well.startswith("answers of tenant acme are steady again")
    told = [watched.changes(trend) for trend in ("degrading", "stagnating", "steady")]
    assert told == [1, 1, 1]


async def test_no_look_is_taken_before_there_is_enough_to_see(watched: Watched) -> None:
    watched.note(right=196)
    watched.note(right=0)
    for _ in range(EVERY - 1):
        watched.trends.answered("acme")
        watched.trends.answered("another")
    await watched.background.settle()
    assert watched.changes("degrading") == 0
    watched.trends.answered("acme")
    await watched.background.settle()
    assert watched.changes("degrading") == 1


async def test_tenants_that_a_gateway_names_are_forgotten_again(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trends, "MOST_TENANTS", 100)
    metrics, background = Metrics(CollectorRegistry()), Background()
    looked = Trends(memory.windows, memory.aside, background, metrics)
    for number in range(EVERY * 150):
        looked.answered(f"tenant-{number // EVERY}")
        if number % EVERY == 0:
            await background.settle()
    await background.settle()
    assert len(looked._answers) == len(looked._known) == 100

"""Says in the log and in the metrics when a tenant's answers get worse, or no better."""

from __future__ import annotations

import logging
from collections.abc import Callable

from cachetools import LRUCache

from adaptation.background import Background
from memory.aside import Aside
from memory.versions.window import Recent, Trend, Windows
from server.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

EVERY = 50
"""Answers of a tenant between two looks."""
MOST_TENANTS = 10_000
"""Remembered, those that were answered last: a gateway may name any number."""
WORDS: dict[Trend, str] = {
    "degrading": "answers of tenant %s got worse: %s",
    "stagnating": "answers of tenant %s get no better: %s",
    "steady": "answers of tenant %s are steady again: %s",
}


class Trends:
    """Looks at the rolling window now and then, beside the event loop."""

    def __init__(
        self, windows: Windows, aside: Aside, background: Background, metrics: Metrics
    ) -> None:
        self._windows, self._aside = windows, aside
        self._background, self._metrics = background, metrics
        self._answers: LRUCache[str, int] = LRUCache(MOST_TENANTS)
        self._known: LRUCache[str, Trend] = LRUCache(MOST_TENANTS)

    def answered(self, tenant: str) -> None:
        """Count an answer; never waits and never fails."""
        count = self._answers[tenant] = self._answers.get(tenant, 0) + 1
        if count % EVERY == 0 and not self._background.is_full:
            self._background.start(self._look(tenant))

    async def _look(self, tenant: str) -> None:
        read: Callable[[], Recent] = lambda: self._windows.of(tenant)  # noqa: E731
        found = await self._aside.read(read)
        if found.trend != self._known.get(tenant, "steady"):
            told = f"{_told(found)}; before: {_told(found, before=True)}"
            logger.warning(WORDS[found.trend], tenant, told)
            self._metrics.trends.labels(found.trend).inc()
        self._known[tenant] = found.trend


def _told(found: Recent, *, before: bool = False) -> str:
    window = found.before if before else found.now
    right = f", {window.right} of {window.judged} right" if window.judged else ""
    return f"{window.asked} answers, agreement {window.agreement:.2f}{right}"

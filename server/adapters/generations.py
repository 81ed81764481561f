"""Counts in the metrics what generations came to, and the alarms that monitors gave.

Generations run in processes of their own, or on another server of the same database: what they
found is read from there. Servers on one database count the same.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from memory.aside import Aside
from memory.errors import WhetMemoryError
from memory.versions.judgements import JudgementStore
from server.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

LOOK_S = 10.0


class GenerationCounts:
    """Looks for judgements until it is cancelled."""

    def __init__(self, judgements: JudgementStore, aside: Aside, metrics: Metrics) -> None:
        self._judgements, self._aside, self._metrics = judgements, aside, metrics
        self._last: int | None = None
        """Number of the last judgement that was looked at; None before the first look."""

    async def follow(self) -> None:
        """Count what is judged from now on."""
        while True:
            try:
                await self.look()
            except WhetMemoryError as error:
                logger.warning("judgements cannot be read: %s", error)
            except Exception:  # nobody awaits this: it must not die
                logger.exception("judgements could not be counted; it is tried again")
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Count what was judged since the last look; the first one counts nothing."""
        if self._last is None:
            self._last = await self._aside.read(self._judgements.newest)
            return
        news = partial(self._judgements.after, self._last)
        for number, judged in await self._aside.read(news):
            self._metrics.observe_generation(judged.promoted, judged.alarms)
            self._last = number

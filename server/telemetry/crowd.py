"""The log of requests that were turned away: one of them a second, and how many more there were.

A flood is refused a thousand times a second, and a line costs more than the refusal.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging

from server.telemetry.lines import FIELDS

logger = logging.getLogger("server.requests")

WINDOW_S = 1.0


class Crowd:
    """Chooses whose line is written, and counts the others."""

    def __init__(self) -> None:
        self._window: asyncio.TimerHandle | None = None
        self._more = 0

    def is_first(self) -> bool:
        """Whether a request is the first of its second; the others are counted."""
        if self._window is None:
            nobody = contextvars.Context()  # the count is about none of them
            loop = asyncio.get_running_loop()
            self._window = loop.call_later(WINDOW_S, self.tell, context=nobody)
            return True
        self._more += 1
        return False

    def tell(self) -> None:
        """Write how many there were besides the first, and begin anew."""
        if self._window is not None:
            self._window.cancel()
        self._window, more, self._more = None, self._more, 0
        if more:
            fields = {FIELDS: {"refused": more}}
            logger.warning("more requests were refused, as the one before", extra=fields)

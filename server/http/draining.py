"""The end of a server that is told to stop: it says so, takes no more, and lets requests finish.

Three steps. For `notice_s` all is as before but `/ready`, which a load balancer asks. For `drain_s`
at most new requests are refused, while those under way, votes and trainings included, end by
themselves. What then is still under way is told that the server stops.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

LOOK_S = 0.05


class Draining:
    """Where a server is on the way to its end."""

    def __init__(self, notice_s: float, drain_s: float, taken: Callable[[], int]) -> None:
        """`taken` counts the requests under way; see `Settings.notice_s` and `Settings.drain_s`."""
        self._notice_s, self._drain_s, self._taken = notice_s, drain_s, taken
        self.is_leaving = False
        """Whether `/ready` says no."""
        self.is_closed = False
        """Whether new requests are refused."""

    def wait(self) -> None:
        """Take the first two steps; blocks, in a thread of its own."""
        self.is_leaving = True
        time.sleep(self._notice_s)
        self.is_closed = True
        if under_way := self._taken():
            logger.info("stopping within %.0f s, requests under way: %d", self._drain_s, under_way)
        end = time.monotonic() + self._drain_s
        while self._taken() and time.monotonic() < end:
            time.sleep(LOOK_S)

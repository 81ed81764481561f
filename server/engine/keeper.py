"""Keeps an engine at work: a dead one is started again in place, one that hangs is killed first.

The server goes on meanwhile. Requests under way have failed and say so, further ones are refused
(`wait_s`), memory and files stay at hand, and what holds vLLM's client need not know.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from server.engine.silence import LOOK_S, Silence

logger = logging.getLogger(__name__)

STARTS_S = 30.0
"""What clients are told to wait before a start has been timed."""
WELL_S = 300.0
"""An engine that lived so long was well: deaths before it do not count any more."""
MOST_PAUSE_S = 30.0


class Cores(Protocol):
    """What does the work behind vLLM's client; see `server.engine.cores`."""

    mended: str
    """What is done about a core that is gone: it is `started again`, or `waited for`."""

    def start(self, client: Any) -> Any:
        """Return a new core; blocks."""
        ...

    def adopt(self, client: Any, core: Any) -> None:
        """Put it behind the client."""
        ...

    def cpu_s(self, client: Any) -> float:
        """Return the processor time that it has used."""
        ...

    def kill(self, client: Any) -> None:
        """End the core at once."""
        ...

    def kill_starting(self) -> None:
        """End one that is being started."""
        ...


class EngineKeeper:
    """Watches one engine."""

    def __init__(self, client: Any, cores: Cores, restarts: int, stall_s: float | None) -> None:
        """An engine that dies more than `restarts` times in short order is given up.

        `stall_s`: see `Settings.engine_stall_s`.
        """
        self._client, self._cores, self._restarts = client, cores, restarts
        self._silence = None if stall_s is None else Silence(client, cores, stall_s)
        self._failures = 0
        self._up_since = time.monotonic()
        self._down_since: float | None = None
        self._starts_s = STARTS_S
        self.is_lost = False
        """Whether it is given up: the server has to end."""

    @property
    def status(self) -> str:
        """The engine in a word."""
        if self.is_lost:
            return "failed"
        return "ready" if self.wait_s is None else "restarting"

    @property
    def wait_s(self) -> float | None:
        """Seconds until the engine can be asked again, as far as is known; None: it can."""
        if self._down_since is None:
            return max(1.0, self._starts_s) if self._client.errored else None
        return max(1.0, self._down_since + self._starts_s - time.monotonic())

    async def follow(
        self,
        reload: Callable[[], Awaitable[None]],
        give_up: Callable[[], object],
        is_stopping: Callable[[], bool],
    ) -> None:
        """Watch until the server `is_stopping`, or the engine is lost, which `give_up` is told.

        `reload` puts back into a new engine what was in the old one.
        """
        while not self.is_lost:
            await asyncio.sleep(LOOK_S)
            if is_stopping():
                return
            if self._client.errored:
                await self._mend(reload)
            elif self._silence is not None and await self._silence.is_stuck():
                told = "the engine does not answer: it is given up and %s"
                logger.error(told, self._cores.mended)
                self._cores.kill(self._client)
        logger.error("the engine died %d times in short order: the server ends", self._failures)
        give_up()

    async def _mend(self, reload: Callable[[], Awaitable[None]]) -> None:
        self._down_since = time.monotonic()
        if self._down_since - self._up_since > WELL_S:
            self._failures = 0
        while self._client.errored and not self.is_lost:
            self._failures += 1
            if self._failures > self._restarts:
                self.is_lost = True
                return
            pause_s = min(MOST_PAUSE_S, 2.0 ** (self._failures - 1) - 1)
            when = f" in {pause_s:.0f} s" if pause_s else ""
            logger.error("the engine is gone: it is %s%s", self._cores.mended, when)
            await asyncio.sleep(pause_s)
            await self._try(reload)
        self._down_since, self._up_since = None, time.monotonic()

    async def _try(self, reload: Callable[[], Awaitable[None]]) -> None:
        """Start another core; where it does not start, the client stays dead."""
        began = time.monotonic()
        try:
            core = await self._started()
            self._cores.adopt(self._client, core)
            await reload()
        except Exception:  # whatever keeps an engine from starting; the next try may fare better
            logger.exception("the engine could not be started")
            return
        if self._silence is not None:
            self._silence.forget()
        self._starts_s = time.monotonic() - began
        logger.warning("the engine is at work again, after %.1f s", self._starts_s)

    async def _started(self) -> Any:
        """Start a core beside the event loop; where nobody waits for it any more, it is ended."""
        loop, started = asyncio.get_running_loop(), asyncio.Future[Any]()

        def start() -> None:
            core = error = None
            try:
                core = self._cores.start(self._client)
            except BaseException as caught:  # noqa: BLE001 (raised where it is awaited)
                error = caught
            loop.call_soon_threadsafe(_settle, started, core, error)

        threading.Thread(target=start, name="start-engine", daemon=True).start()
        try:
            return await asyncio.shield(started)
        except asyncio.CancelledError:
            self._cores.kill_starting()
            await asyncio.wait([started])
            if started.exception() is None:
                started.result().shutdown(timeout=0)
            raise


def _settle(started: asyncio.Future[Any], core: Any, error: BaseException | None) -> None:
    if error is None:
        started.set_result(core)
    else:
        started.set_exception(error)

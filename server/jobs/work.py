"""What a kind of job is given: what was asked, the memory, a folder, a way to tell of itself."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias

import httpx

from memory.errors import StorageUnavailableError
from memory.memory import LongTermMemory
from memory.offline.job import Job, NewEvent, Progress, Wish
from memory.offline.jobs import JobStore
from server.config import Settings
from server.telling import Lines

OnProgress: TypeAlias = Callable[[str, int, int], None]
"""(phase, done, total)."""
QUIET_S = 30.0
"""Between two lines of a job's log on how far it is: a short job has none."""
MOST_EVENTS = 1_000
"""Waiting to be written; beyond it the oldest are lost."""


class Stopped(BaseException):
    """The job is to stop here: it was cancelled or paused, or is another's by now.

    No `Exception`, so that no kind takes it for a fault of its own.
    """


class Work:
    """One job, as its kind sees it."""

    def __init__(
        self,
        job: Job,
        memory: LongTermMemory,
        settings: Settings,
        folder: Path,
        holder: str,
        on_progress: OnProgress = lambda phase, done, total: None,
        asks: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`folder` is the job's own; it stays until the job ends, for whoever goes on with it."""
        self._on_progress, self.asks = on_progress, asks
        """`asks` reaches the server that began the job, in its tenant's name; None: nobody did."""
        self.job, self.memory, self.settings = job, memory, settings
        self.folder, self.holder = folder, holder
        self.wish: Wish | None = None
        """What its tenant wants of it by now."""
        self.is_lost = False
        """Whether another worker has taken the job over."""
        self._events: deque[NewEvent] = deque(maxlen=MOST_EVENTS)
        self._progress = self._told = job.progress
        self._flushing = threading.Lock()
        self._phases: dict[str, Progress] = {}
        """How far this process has told of each: some go on beside each other."""
        self._lines, self._logged_at = Lines(QUIET_S), time.monotonic()

    def progress(self, phase: str, done: int, total: int) -> None:
        """Say how far the job is, at no cost: noted at the next beat, and now and then logged."""
        before = self._phases.get(phase)
        if before is None or before.done > done:
            before = Progress(phase=phase, done=done, total=total, began_at=time.time(), began=done)
        self._progress = before.model_copy(update={"done": done, "total": total})
        self._phases[phase] = self._progress
        self._on_progress(phase, done, total)
        line = self._lines.line(phase, done, total or None)
        if line is not None and time.monotonic() - self._logged_at >= QUIET_S:
            self._logged_at = time.monotonic()
            self.tell(line)

    def tell(
        self, message: str, level: Literal["info", "warn", "error"] = "info", **data: Any
    ) -> None:
        """Say what its tenant should know; noted at the next beat."""
        self._events.append(NewEvent(message=message, level=level, data=data or None))

    def metrics(self, step: int, figures: dict[str, Any], total_steps: int | None = None) -> None:
        """Say what was measured at a step, 0 for the whole; noted at the next beat."""
        data, at = {"step": step, **figures}, f"step {step}"
        if total_steps is not None:
            data, at = {**data, "total_steps": total_steps}, f"{at} of {total_steps}"
        said = ", ".join(f"{name} {_figure(value)}" for name, value in figures.items())
        message = f"{at}: {said}" if step else said
        self._events.append(NewEvent(message=message, type="metrics", data=data))

    async def keep(self, result: dict[str, Any]) -> None:
        """Note what came of the job so far, and what was said of it."""
        await asyncio.to_thread(self._keep, result)

    def beat(self) -> None:
        """Say that the job is worked on, write what was said, and learn what is wanted."""
        held = self.memory.jobs.hold(self.job.id, self.holder)
        self.is_lost = held is None
        self.wish = held.wanted if held else None
        if held is not None:
            self.flush()

    def flush(self) -> None:
        """Write what was said of the job; what cannot be written now is for the next time."""
        with self._flushing:  # a beat and a kind may come together
            self._flush(self.memory.jobs, (self.job.id, self.holder))

    def _flush(self, jobs: JobStore, mine: tuple[str, str]) -> None:
        if (now := self._progress) is not None and now != self._told:
            jobs.advance(*mine, now)
            self._told = now
        said = [self._events.popleft() for _ in range(len(self._events))]
        try:
            if said:
                jobs.note(*mine, said)
        except StorageUnavailableError:
            self._events.extendleft(reversed(said))
            raise

    def _keep(self, result: dict[str, Any]) -> None:
        self.flush()
        self.memory.jobs.keep(self.job.id, self.holder, result)


def _figure(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)

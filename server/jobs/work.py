"""What a kind of job is given: what was asked, the memory, a folder, a way to tell of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from memory.job import Job, NewEvent, Progress, Wish
from memory.memory import LongTermMemory
from server.config import Settings


class Stopped(BaseException):
    """The job is to stop here: it was cancelled or paused, or is another's by now.

    No `Exception`, so that no kind takes it for a fault of its own.
    """

    def __init__(self, wish: Wish | None) -> None:
        """`wish` is None where the job is another's."""
        super().__init__(wish)
        self.wish = wish


@dataclass(frozen=True)
class Work:
    """One job, as its kind sees it."""

    job: Job
    memory: LongTermMemory
    settings: Settings
    folder: Path
    """The job's own files. They stay until it ends, so that whoever goes on finds them."""
    holder: str

    async def goes_on(self) -> None:
        """Say that the job is worked on; raises `Stopped` where it is not to be any more."""
        held = await asyncio.to_thread(self.memory.jobs.hold, self.job.id, self.holder)
        if held is None:
            raise Stopped(None)
        if held.wanted is not None:
            raise Stopped(held.wanted)

    async def progress(self, phase: str, done: int, total: int) -> None:
        """Note how far the job is."""
        now = Progress(phase=phase, done=done, total=total)
        await asyncio.to_thread(self.memory.jobs.advance, self.job.id, self.holder, now)

    async def tell(
        self, message: str, level: Literal["info", "warn", "error"] = "info", **data: Any
    ) -> None:
        """Note what its tenant should know."""
        await self._note([NewEvent(message=message, level=level, data=data or None)])

    async def metrics(self, step: int, figures: dict[str, Any]) -> None:
        """Note what was measured at a step."""
        data = {"step": step, **figures}
        await self._note([NewEvent(message=f"step {step}", type="metrics", data=data)])

    async def keep(self, result: dict[str, Any]) -> None:
        """Note what came of the job so far."""
        await asyncio.to_thread(self.memory.jobs.keep, self.job.id, self.holder, result)

    async def _note(self, events: Sequence[NewEvent]) -> None:
        await asyncio.to_thread(self.memory.jobs.note, self.job.id, self.holder, events)

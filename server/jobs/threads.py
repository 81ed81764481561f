"""Blocking work of a kind, in a thread that stops where its job is to stop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from server.jobs.work import OnProgress, Stopped, Work

T = TypeVar("T")


async def in_thread(work: Work, function: Callable[[OnProgress], T]) -> T:
    """Return what `function` returns, which is given what it is to tell of its progress.

    Where this is cancelled, that raises `Stopped` in the thread when it is next told; only when
    the thread has ended is the job let go.
    """
    ends = threading.Event()

    def progress(phase: str, done: int, total: int) -> None:
        work.progress(phase, done, total)
        if ends.is_set():
            raise Stopped

    doing = asyncio.ensure_future(asyncio.to_thread(function, progress))
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        ends.set()
        await asyncio.gather(doing, return_exceptions=True)
        raise

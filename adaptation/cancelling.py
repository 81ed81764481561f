"""Ending samples early, with every token that they generated counted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any

GRACE_S = 0.05
"""Seconds that the engine has to end its samples; after them the tasks are cancelled."""


async def end_all(tasks: Collection[asyncio.Task[Any]], end: Callable[[], Awaitable[None]]) -> None:
    """Have the engine end the samples that `tasks` wait for, and return when all tasks are done.

    A task that is cancelled outright loses the tokens that the engine has given out and the task
    has not yet taken.
    """
    if not tasks:
        return
    try:
        await end()
        await asyncio.wait(tasks, timeout=GRACE_S)
    finally:
        for task in tasks:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

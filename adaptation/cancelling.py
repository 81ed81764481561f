"""Ending samples before their time, with everything that they generated counted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any

GRACE_S = 0.05
"""An engine ends what it knows at once; what it was not yet given is cancelled after this."""


async def end_all(tasks: Collection[asyncio.Task[Any]], end: Callable[[], Awaitable[None]]) -> None:
    """Have the engine end what `tasks` wait for, and return once all of them are done.

    Cancelling a task outright would lose what the engine has given out and the task not yet taken.
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

"""Waits that end: `asyncio.wait_for` of Python 3.11 forgets a cancellation that comes with news."""

from __future__ import annotations

import asyncio
from contextlib import suppress


async def set_within(event: asyncio.Event, seconds: float) -> None:
    """Wait until an event is set, and not for longer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()

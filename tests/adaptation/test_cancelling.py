"""Ended samples still give what they hold; what does not end by itself is cancelled."""

from __future__ import annotations

import asyncio

from adaptation.cancelling import end_all

HELD_BACK = 8


async def test_what_is_ended_has_time_to_give_all_that_it_still_holds() -> None:
    ended, taken = asyncio.Event(), []

    async def sample() -> None:
        await ended.wait()
        for token in range(HELD_BACK):
            await asyncio.sleep(0)
            taken.append(token)

    async def end() -> None:
        ended.set()

    await end_all([asyncio.create_task(sample())], end)
    assert len(taken) == HELD_BACK


async def test_what_the_engine_does_not_know_is_cancelled() -> None:
    async def end() -> None:
        """The engine knows nothing of it."""

    task = asyncio.create_task(asyncio.Event().wait())
    await end_all([task], end)
    assert task.cancelled()

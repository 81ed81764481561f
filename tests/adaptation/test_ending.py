"""Samples that end before their time are counted with everything they generated."""

from __future__ import annotations

import asyncio

from adaptation.ending import end_all


async def test_a_task_that_the_engine_ends_keeps_what_it_was_given() -> None:
    told = asyncio.Event()

    async def sample() -> str:
        await told.wait()
        for _ in range(5):  # what the engine has given out and the task not yet taken
            await asyncio.sleep(0)
        return "all of it"

    async def end() -> None:
        told.set()

    task = asyncio.create_task(sample())
    await end_all([task], end)
    assert task.result() == "all of it"


async def test_a_task_that_the_engine_does_not_know_is_cancelled() -> None:
    task = asyncio.create_task(asyncio.Event().wait())

    async def end() -> None:
        """It was not given to the engine yet."""

    await end_all([task], end)
    assert task.cancelled()


async def test_tasks_are_cancelled_though_the_engine_fails_to_end_them() -> None:
    task = asyncio.create_task(asyncio.Event().wait())

    async def end() -> None:
        raise ConnectionError("the engine is gone")

    outcome = await asyncio.gather(end_all([task], end), return_exceptions=True)
    assert isinstance(outcome[0], ConnectionError)
    await asyncio.wait([task])
    assert task.cancelled()

"""Places are given in fair turns, and none is ever lost."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.fair_queue import FairQueue
from adaptation.fairness import FairShares


def queue(places: int) -> FairQueue:
    return FairQueue(places, FairShares(lambda tenant: 1.0))


async def test_one_tenants_crowd_holds_no_other_up() -> None:
    fair, order = queue(1), list[str]()
    let_go = asyncio.Event()

    async def work(tenant: str) -> None:
        async with fair.place(tenant) as holding:
            await let_go.wait()
            holding.cost = 64
            order.append(tenant)

    crowd = [asyncio.create_task(work("crowd")) for _ in range(20)]
    await asyncio.sleep(0)
    one = asyncio.create_task(work("one"))
    await asyncio.sleep(0)
    let_go.set()
    await asyncio.gather(one, *crowd)
    assert order.index("one") <= 2


async def test_whoever_gives_up_leaves_its_place_to_the_next() -> None:
    fair = queue(1)
    async with fair.place("a"):
        waiting = [asyncio.create_task(_hold(fair)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
    waiting[1].cancel()  # its place may be on its way
    with suppress(asyncio.CancelledError):
        await waiting[1]
    assert await asyncio.wait_for(waiting[2], 5) == "held"
    assert await asyncio.wait_for(_hold(fair), 5) == "held"


async def _hold(fair: FairQueue) -> str:
    async with fair.place("b"):
        return "held"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30), st.integers(1, 4))
def test_no_place_is_lost_and_none_is_given_twice(asked: list[tuple[str, bool]], most: int) -> None:
    async def run() -> None:
        fair, at_work, peak = queue(most), 0, 0

        async def work(tenant: str) -> None:
            nonlocal at_work, peak
            async with fair.place(tenant):
                at_work += 1
                peak = max(peak, at_work)
                try:
                    await asyncio.sleep(0)
                finally:
                    at_work -= 1

        tasks = []
        for tenant, gives_up in asked:
            task = asyncio.create_task(work(tenant))
            tasks.append(task)
            await asyncio.sleep(0)
            if gives_up:
                task.cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
        assert peak <= most
        assert at_work == 0
        again = [asyncio.create_task(_hold(fair)) for _ in range(most + 1)]
        assert await asyncio.wait_for(asyncio.gather(*again), 10) == ["held"] * (most + 1)

    asyncio.run(run())


async def test_an_error_in_the_block_frees_the_place() -> None:
    fair = queue(1)
    with pytest.raises(ValueError, match="x"):
        async with fair.place("a"):
            raise ValueError("x")
    assert await asyncio.wait_for(_hold(fair), 5) == "held"

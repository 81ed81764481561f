"""Places are given in fair turns, and none is ever lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.fair_queue import FairQueue
from adaptation.fairness import FairShares
from adaptation.rooms import LATELY_S, FixedPlaces, SharedPlaces

WEIGHTS = {"heavy": 3.0}


def queue(places: int) -> FairQueue:
    return FairQueue(FixedPlaces(places), FairShares(lambda tenant: 1.0))


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


class Crowd:
    """Tenants that hold places of an engine until they are told to go."""

    def __init__(self, alone: int = 20, shared: int = 8) -> None:
        self.now = 0.0

        def weight(tenant: str) -> float:
            return WEIGHTS.get(tenant, 1.0)

        room = SharedPlaces(alone, shared, shared // 2, weight, lambda: self.now)
        self.fair = FairQueue(room, FairShares(weight))
        self._inside: dict[str, list[asyncio.Event]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def come(self, tenant: str, count: int, size: int = 1) -> None:
        """Have requests ask for places."""
        self._tasks += [asyncio.create_task(self._hold(tenant, size)) for _ in range(count)]
        await asyncio.sleep(0)

    async def go(self, tenant: str, count: int = 1) -> None:
        """End the tenant's earliest requests."""
        for _ in range(count):
            self._inside[tenant].pop(0).set()
        for _ in range(3):  # left, let in, inside
            await asyncio.sleep(0)

    def inside(self, tenant: str) -> int:
        return len(self._inside.get(tenant, ()))

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _hold(self, tenant: str, size: int) -> None:
        async with self.fair.place(tenant, size):
            leaves = asyncio.Event()
            self._inside.setdefault(tenant, []).append(leaves)
            await leaves.wait()


@pytest.fixture
async def crowd() -> AsyncIterator[Crowd]:
    made = Crowd()
    yield made
    await made.end()


async def test_a_tenant_alone_has_all_places(crowd: Crowd) -> None:
    await crowd.come("greedy", 30)
    assert crowd.inside("greedy") == 20


async def test_beside_others_what_one_has_is_bounded(crowd: Crowd) -> None:
    await crowd.come("modest", 1)
    await crowd.come("greedy", 30)
    assert crowd.inside("greedy") == 4
    for name in ("b", "c", "d", "e", "f", "g"):
        await crowd.come(name, 1)
    await crowd.go("greedy", 4)
    assert crowd.inside("greedy") == 1, "its share of eight tenants; the half is full"
    for name in ("b", "c", "d", "e", "f", "g"):
        await crowd.go(name)
    assert crowd.inside("greedy") == 3, "with the modest one half of the places"


async def test_whoever_is_below_its_share_comes_in_at_once(crowd: Crowd) -> None:
    await crowd.come("greedy", 30)
    await crowd.come("modest", 30)
    assert crowd.inside("modest") == 4
    await crowd.come("third", 1)
    assert crowd.inside("third") == 1
    await crowd.go("greedy", 18)
    assert crowd.inside("greedy") <= 3


async def test_a_share_is_by_weight(crowd: Crowd) -> None:
    await crowd.come("other", 1)
    await crowd.come("heavy", 30)
    await crowd.come("other", 30)
    assert (crowd.inside("heavy"), crowd.inside("other")) == (6, 2)
    await crowd.go("other", 1)
    assert (crowd.inside("heavy"), crowd.inside("other")) == (6, 2)


async def test_a_tenant_that_asked_lately_still_counts(crowd: Crowd) -> None:
    await crowd.come("modest", 1)
    await crowd.go("modest")
    await crowd.come("greedy", 30)
    assert crowd.inside("greedy") == 4
    crowd.now = LATELY_S + 1
    await crowd.go("greedy")
    assert crowd.inside("greedy") == 20


async def test_a_request_for_more_choices_than_a_share_is_let_in(crowd: Crowd) -> None:
    await crowd.come("greedy", 8)
    await crowd.come("modest", 1, size=64)
    assert crowd.inside("modest") == 1


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "heavy"]), st.integers(0, 2), st.integers(0, 40)),
        max_size=40,
    )
)
def test_whoever_waits_has_its_share_and_the_room_is_full(
    steps: list[tuple[str, int, int]],
) -> None:
    async def run() -> None:
        crowd = Crowd(alone=6, shared=4)
        asked, left = Counter[str](), Counter[str]()
        for tenant, comes, passes in steps:
            crowd.now += passes
            if comes:
                asked[tenant] += comes
                await crowd.come(tenant, comes)
            elif crowd.inside(tenant):
                left[tenant] += 1
                await crowd.go(tenant)
            inside = {each: crowd.inside(each) for each in asked}
            for each, count in inside.items():
                assert count <= asked[each] - left[each]
                if count < asked[each] - left[each]:
                    assert sum(inside.values()) >= 2
                    assert count >= max(1.0, 4 * WEIGHTS.get(each, 1.0) / 5.0)
        await crowd.end()

    asyncio.run(run())


async def test_places_that_are_left_early_are_left_once(crowd: Crowd) -> None:
    fair = queue(1)
    async with fair.place("a") as holding:
        holding.leave()
        async with fair.place("b"):
            holding.leave()
            waiting = asyncio.create_task(_hold(fair))
            await asyncio.sleep(0.01)
            assert not waiting.done(), "one place is held, however often another was left"
    assert await asyncio.wait_for(waiting, 5) == "held"


async def test_a_closed_queue_tells_everybody_who_waits_or_comes() -> None:
    fair = queue(1)
    async with fair.place("a"):
        waiting = [asyncio.create_task(_hold(fair)) for _ in range(3)]
        await asyncio.sleep(0)
        fair.close(lambda: ValueError("it stops"))
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert [str(each) for each in told] == ["it stops"] * 3
    with pytest.raises(ValueError, match="it stops"):
        await _hold(fair)

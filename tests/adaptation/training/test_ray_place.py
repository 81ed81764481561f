"""One actor as the driver has it, by errors that Ray raised: who may be asked, and who is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

import pytest

from adaptation.errors import TrainerError, TrainerLostError
from adaptation.learning.training.messages import Measure, Ready

if find_spec("ray") is None:
    pytest.skip("Ray is not installed", allow_module_level=True)

import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayTaskError

from adaptation.learning.ray import place as module
from adaptation.learning.ray.place import Place

WORK = Measure(id=1, conversations=(), adapter=None, max_tokens=1)
GONE = "the worker has died"
LOST_CLIENT = "Ray Client is not connected. Please connect by calling `ray.init`."


def unavailable() -> ActorUnavailableError:
    return ActorUnavailableError(GONE, None)


class Method:
    """One method of an actor; each call ends as the test says."""

    def __init__(self) -> None:
        self.calls: asyncio.Queue[asyncio.Future[Any]] = asyncio.Queue()

    def remote(self, *given: object) -> asyncio.Future[Any]:
        self.calls.put_nowait(call := asyncio.get_running_loop().create_future())
        return call


class Actor:
    """The handle of one that runs nowhere."""

    def __init__(self) -> None:
        self.about, self.ask, self.steps, self.cancel = Method(), Method(), Method(), Method()

    async def begins(self) -> asyncio.Future[Any]:
        """A life of it: it is ready, and the call that waits for steps is returned."""
        (await self.about.calls.get()).set_result(Ready(parameters=1, device="cpu"))
        return await self.steps.calls.get()


class Kept:
    """A place, and what was told of it."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.actors: list[Actor] = []
        self.told: list[bool] = []
        self.place = Place(self._make, lambda step: None, self._changed, tasks)

    @property
    def actor(self) -> Actor:
        return self.actors[-1]

    async def asked(self) -> tuple[asyncio.Task[Any], asyncio.Future[Any]]:
        """Work that an actor has."""
        work = asyncio.create_task(self.place.ask(WORK, None))
        return work, await self.actor.ask.calls.get()

    def _make(self) -> Actor:
        self.actors.append(Actor())
        return self.actor

    def _changed(self) -> None:
        self.told.append(self.place.about is not None)


@asynccontextmanager
async def kept() -> AsyncIterator[Kept]:
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        yield (found := Kept(tasks))
        await found.place.close()


@pytest.fixture(autouse=True)
def killed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []
    monkeypatch.setattr(ray, "kill", found.append)
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    return found


async def lost(work: asyncio.Task[Any]) -> str:
    with pytest.raises(TrainerLostError) as told:
        await work
    return str(told.value)


@pytest.mark.parametrize("order", ["request", "request, steps", "steps, request"])
async def test_nothing_is_asked_of_an_actor_that_a_request_found_lost(order: str) -> None:
    async with kept() as found:
        steps = await found.actor.begins()
        work, asked = await found.asked()
        seen: list[bool] = []
        work.add_done_callback(lambda _: seen.append(found.place.about is None))
        for name in order.split(", "):
            {"request": asked, "steps": steps}[name].set_exception(unavailable())
        assert GONE in await lost(work)
        assert seen == [True]
        (await found.actor.about.calls.get()).set_exception(unavailable())
        await found.actor.begins()
        assert found.told == [True, False, True]
        assert len(found.actors) == 1


async def test_an_actor_that_lives_after_all_is_ready_again() -> None:
    """Its call that waits for steps does not end."""
    async with kept() as found:
        await found.actor.begins()
        work, asked = await found.asked()
        asked.set_exception(unavailable())
        await lost(work)
        await found.actor.begins()
        assert found.told == [True, False, True]
        work, asked = await found.asked()
        asked.set_result("done")
        assert await work == "done"


async def test_an_old_life_s_error_says_nothing_of_the_next_one() -> None:
    async with kept() as found:
        steps = await found.actor.begins()
        work, asked = await found.asked()
        steps.set_exception(unavailable())
        await found.actor.begins()
        asked.set_exception(unavailable())
        await lost(work)
        assert found.place.about is not None
        assert found.told == [True, False, True]


async def test_an_actor_that_died_for_good_is_replaced(killed: list[Any]) -> None:
    async with kept() as found:
        await found.actor.begins()
        work, asked = await found.asked()
        asked.set_exception(ActorDiedError())
        await lost(work)
        (await found.actor.about.calls.get()).set_exception(ActorDiedError())
        while len(found.actors) == 1:  # noqa: ASYNC110  after a pause
            await asyncio.sleep(0.01)
        await found.actor.begins()
        assert found.told == [True, False, True]
        assert killed == found.actors[:1]


async def test_work_that_failed_by_itself_leaves_the_actor_ready() -> None:
    async with kept() as found:
        await found.actor.begins()
        work, asked = await found.asked()
        where = {"proctitle": "", "pid": 1, "ip": "127.0.0.1"}
        asked.set_exception(RayTaskError("ask", "", TrainerError("a full disk"), **where))
        with pytest.raises(TrainerError, match="a full disk") as told:
            await work
        assert type(told.value) is TrainerError
        assert found.told == [True]


@pytest.mark.parametrize("error", [ConnectionError(LOST_CLIENT), Exception(LOST_CLIENT)])
async def test_a_lost_client_ends_all_tasks_and_its_work_was_lost(error: Exception) -> None:
    async def meet() -> None:
        async with kept() as found:
            steps = await found.actor.begins()
            work, asked = await found.asked()
            asked.set_exception(error)
            assert await lost(work) == f"the way to the Ray cluster was lost: {LOST_CLIENT}"
            steps.set_exception(error)
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as told:
        await meet()
    assert told.value.exceptions == (error,)

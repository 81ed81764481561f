"""The actors of one driver: which of them is asked, and how many there are.

A request goes to the actor with the fewest under way; what goes to one trains together there. One
more actor is asked for when each has `BUSY` under way, and the last one is let go where it is idle.
Where Ray has no place for an actor it waits, and an autoscaler sees that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from adaptation.errors import TrainerError, TrainerLostError
from adaptation.learning.ray.actor import Outcome
from adaptation.learning.ray.files import Files
from adaptation.learning.ray.place import Place
from adaptation.learning.ray.placement import Placement
from adaptation.learning.training.messages import Ready, Step, Work
from adaptation.learning.training.trainer import Standing

BUSY = 4
"""Requests under way with every actor, from which on one more is asked for: fewer train together in
little more than the time of one."""
IDLE_S, STARTING_S = 60.0, 900.0
"""After which the last actor is let go, where it is ready, and where it finds no room."""
LOOK_S = 5.0
"""Between two looks at whether an actor is idle."""
PATIENCE_S = 60.0
"""How long requests wait for an actor once none is left: Ray starts one again in seconds, on busy
cores in half a minute."""


class Pool:
    """From `placement.fewest` to `placement.most` actors."""

    def __init__(
        self,
        placement: Placement,
        make: Callable[[], Any],
        on_step: Callable[[Step], None],
        on_change: Callable[[Standing], None],
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._placement, self._make, self._tasks = placement, make, tasks
        self._on_step, self._on_change = on_step, on_change
        self._changed = asyncio.Event()
        self._alone_since = asyncio.get_running_loop().time()
        """Since when no actor is ready, where none is."""
        self._places = [self._new() for _ in range(placement.fewest)]
        tasks.create_task(self._shrink())

    async def ready(self) -> Ready:
        """Await the first actor; raises `TrainerError` where it cannot load, or finds no room."""
        try:
            async with asyncio.timeout(self._placement.start_s):
                while True:
                    for place in self._places:
                        if place.about is not None:
                            return place.about
                        if place.problem is not None:
                            raise TrainerError(place.problem)
                    await self._change()
        except TimeoutError as error:
            wanted = self._placement
            gpus = f" and {wanted.gpus:g} GPUs" if wanted.gpus else ""
            raise TrainerError(
                f"no node has room for an actor of {wanted.cpus} CPUs{gpus}, or none was ready in "
                f"{wanted.start_s:g} s: add a node, or ask for less by --ray-cpus and --ray-gpus"
            ) from error

    async def do(self, work: Work, files: Files | None) -> Outcome:
        """Have work done by an actor; raises `TrainerError`, a lost one where none is there."""
        place = await self._chosen()
        return await place.ask(work, files)

    async def cancel(self, request_id: int) -> bool:
        """Have a request given up; False where it is with no actor, or not yet."""
        for place in self._places:
            if place.has(request_id):
                return await place.cancel(request_id)
        return False

    async def _chosen(self) -> Place:
        now = asyncio.get_running_loop().time
        while True:
            ready = [place for place in self._places if place.about is not None]
            if ready:
                chosen = min(ready, key=lambda place: place.load)
                self._grow(chosen.load + 1)
                return chosen
            try:
                async with asyncio.timeout_at(max(now(), self._alone_since + PATIENCE_S)):
                    await self._change()
            except TimeoutError as error:
                raise TrainerLostError(f"no trainer is there: {self._problem}") from error

    @property
    def _problem(self) -> str:
        problems = [place.problem for place in self._places if place.problem]
        return problems[0] if problems else "Ray has no place for one now"

    def _grow(self, load: int) -> None:
        is_starting = any(place.about is None for place in self._places)
        if load >= BUSY and not is_starting and len(self._places) < self._placement.most:
            self._places.append(self._new())

    async def _shrink(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            last, now = self._places[-1], asyncio.get_running_loop().time()
            most_s = STARTING_S if last.about is None else IDLE_S
            is_idle = not last.load and now - last.idle_since > most_s
            if is_idle and len(self._places) > self._placement.fewest:
                self._places.remove(last)
                await last.close()
                self._tell()

    def _new(self) -> Place:
        return Place(self._make, self._on_step, self._tell, self._tasks)

    def _tell(self) -> None:
        """Wake who waits, and say how many actors there are."""
        ready = sum(place.about is not None for place in self._places)
        if ready:
            self._alone_since = float("inf")
        elif self._alone_since == float("inf"):
            self._alone_since = asyncio.get_running_loop().time()
        self._changed.set()
        problem = None if ready else self._problem
        self._on_change(Standing(actors=ready, most=self._placement.most, problem=problem))

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

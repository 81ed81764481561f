"""One actor as the driver has it: made, asked, followed, and made again where it is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import (
    ActorUnavailableError,
    ObjectLostError,
    RayActorError,
    RayError,
    RayTaskError,
)

from adaptation.backoff import pause_s
from adaptation.errors import TrainerError, TrainerLostError
from adaptation.learning.ray.actor import Outcome
from adaptation.learning.ray.cluster import in_short
from adaptation.learning.ray.files import Files
from adaptation.learning.training.messages import Ready, Step, Work

GRACE_S = 4.0
"""How long a job given up may take to reach its next step before its actor is killed, beside one
and a half times what steps take: less than the server gives the driver (`resident`)."""
LOOK_S = 0.2
"""Between two looks at whether Ray has started a lost actor again."""
FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.5, 30.0


class Place:
    """One actor at a time."""

    def __init__(
        self,
        make: Callable[[], Any],
        on_step: Callable[[Step], None],
        on_change: Callable[[], None],
        tasks: asyncio.TaskGroup,
    ) -> None:
        """`on_change` is told when the actor has become ready, no longer is, or why has changed.

        `tasks` ends by whatever is no error of Ray's: its client, at `ray://`, raises others where
        the way to the cluster is lost.
        """
        self._make, self._on_step, self._on_change = make, on_step, on_change
        self._actor = make()
        self.about: Ready | None = None
        """None while the actor is not there; another object in every life of it."""
        self._life = asyncio.timeout(None)
        """Expires where a request finds the actor lost before `_follow` does."""
        self.problem: str | None = None
        """Why it is not there, where that is known."""
        self.idle_since = asyncio.get_running_loop().time()
        self._under_way: dict[int, asyncio.Event] = {}
        """Set at the end of each request."""
        self._pace_s = 0.0
        self._spoke = 0.0
        self._following = tasks.create_task(self._follow())

    @property
    def load(self) -> int:
        """How much was asked and not answered."""
        return len(self._under_way)

    def has(self, request_id: int) -> bool:
        """Whether a request is under way here."""
        return request_id in self._under_way

    async def ask(self, work: Work, files: Files | None) -> Outcome:
        """Have work done; raises `TrainerError`, of which `TrainerLostError` is no fault of it."""
        now, about = asyncio.get_running_loop().time, self.about
        if not self._under_way:
            self._spoke = now()
        ended = self._under_way[work.id] = asyncio.Event()
        try:
            outcome: Outcome = await self._actor.ask.remote(work, files)
            return outcome
        except Exception as error:  # Ray's client raises others than Ray's where it is lost
            if isinstance(error, RayActorError):
                self._doubt(about, error)
            raise failure(error) from error
        finally:
            del self._under_way[work.id]
            ended.set()
            self.idle_since = now()

    async def cancel(self, request_id: int) -> bool:
        """Have a request given up; kills the actor where it does not come to that.

        False where the request is still on its way, and nobody need wait for it.
        """
        ended, has_come = self._under_way[request_id], True
        try:
            async with asyncio.timeout(GRACE_S + 1.5 * self._pace_s):
                with contextlib.suppress(RayError):  # lost: the request ends by that
                    has_come = await self._actor.cancel.remote(request_id)
                if has_come:
                    await ended.wait()
        except TimeoutError:
            self.kill()
        return has_come

    def kill(self) -> None:
        """End the actor; `_follow` makes another, unless the place is closed."""
        ray.kill(self._actor)

    async def close(self) -> None:
        """End the actor for good."""
        self._following.cancel()
        await asyncio.wait([self._following])
        self.kill()

    async def _follow(self) -> None:
        """Pass steps on for as long as the actor lives; then have another."""
        failures = 0
        while True:
            try:
                async with asyncio.timeout(None) as self._life:
                    self.about, self.problem = await self._actor.about.remote(), None
                    failures, self.idle_since = 0, asyncio.get_running_loop().time()
                    self._on_change()
                    while True:
                        self._pass_on(await self._actor.steps.remote())
            except ActorUnavailableError as error:  # Ray starts it again
                self._lost(error)
                await asyncio.sleep(LOOK_S)
            except RayError as error:
                failures += 1
                self._lost(error)
                self.kill()  # where it lives, and has no model
                await asyncio.sleep(pause_s(failures, FIRST_BACKOFF_S, MAX_BACKOFF_S))
                self._actor = self._make()
            except TimeoutError:
                if not self._life.expired():
                    raise

    def _doubt(self, about: Ready | None, error: RayActorError) -> None:
        """Have nothing asked of an actor whose life has ended, until `_follow` finds it ready."""
        if about is not None and about is self.about:
            self._lost(error)
            self._life.reschedule(asyncio.get_running_loop().time())

    def _lost(self, error: RayError) -> None:
        before = self.about, self.problem
        self.about, self.problem = None, said(error)
        if before != (self.about, self.problem):
            self._on_change()

    def _pass_on(self, steps: list[Step]) -> None:
        now = asyncio.get_running_loop().time()
        self._pace_s = max(now - self._spoke, 0.9 * self._pace_s)
        self._spoke = now
        for step in steps:
            if step.id in self._under_way:
                self._on_step(step)


def failure(error: Exception) -> TrainerError:
    """Return what an error says of work: that it was lost, unless its actor refused it."""
    if not isinstance(error, RayError):
        return TrainerLostError(f"the way to the Ray cluster was lost: {in_short(str(error))}")
    if isinstance(error, RayTaskError) and not isinstance(error.cause, ObjectLostError):
        return TrainerError(said(error))
    return TrainerLostError(f"the trainer's actor was lost: {said(error)}")


def said(error: RayError) -> str:
    """Return what an error of Ray's is about, in one line."""
    cause = error.cause if isinstance(error, RayTaskError) else None
    if cause is not None:
        return str(cause)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__

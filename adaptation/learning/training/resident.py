"""The trainer's process: it stays, and is started anew when it dies, hangs or will not answer.

Owns the policy (deadlines, the bound on what waits, restarts, back-off); `link.py` owns the pipes,
and the process itself decides which jobs train together. Knows nothing of what the work is for.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence

from adaptation.backoff import pause_s
from adaptation.errors import NoTurnError, TrainerError, TrainerLostError
from adaptation.learning.training.link import Link
from adaptation.learning.training.messages import Done, Ready, Step, Train, Work
from adaptation.learning.training.trainer import Standing

SOFT = 0.8
"""Share of the time left after which the worker begins no further step, so that a slow job ends
early with what it has learned instead of being killed."""
MOST_JOBS = 64
"""Most jobs given to the process and not answered: one more is refused at once."""
CANCEL_GRACE_S = 5.0
"""How long a job given up may take to reach its next step before the process is killed, beside
twice what steps take: others may be in training, and lose what they have."""
LOOK_S = 1.0
"""Between two looks at whether the process is stopped. It is replaced at the second in a row that
finds it so: who stops this process with it means both."""
FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.5, 30.0
"""Pause before the restart after the second failure in a row; doubles with every further one."""


class Resident:
    """One process at a time, for as long as its owner wants one."""

    def __init__(
        self,
        arguments: Sequence[str],
        threads: int | None,
        start_timeout_s: float,
        *,
        worker: str | None = None,
        persists: bool = False,
        called: str = "trainer",
    ) -> None:
        """`arguments` are the worker's, a module that speaks as `training.worker` does; it is
        `called` so in what is raised.

        One that persists starts the process again and again where it cannot start, and refuses work
        in the meantime; otherwise work that is asked for starts it, and waits.
        """
        self._arguments, self._threads = list(arguments), threads
        self._worker, self._persists, self._called = worker, persists, called
        self._start_timeout_s = start_timeout_s
        self._in_flight: set[int] = set()
        self._ids = itertools.count(1)
        self._link: Link | None = None
        self._about: Ready | None = None
        self._starting: asyncio.Task[Link] | None = None
        self._settling: set[asyncio.Task[None]] = set()
        self._reaping: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._failures = 0
        self._not_before = 0.0
        self._error: str | None = None
        self._closed = False

    @property
    def status(self) -> str:
        """`ready`, `stopped`, `giving a job up`, `starting`, `idle` (not asked for yet), `closed`
        or `failed: …`."""
        if self._closed:
            return "closed"
        if self._link is not None and self._link.alive:
            if self._link.stopped:
                return "stopped"
            if self._link.standing is not None and self._link.standing.problem:
                return f"no actor is ready: {self._link.standing.problem}"
            return "giving a job up" if self._settling else "ready"
        if self._starting is not None and not (self._persists and self._error):
            return "starting"
        return f"failed: {self._error}" if self._error else "idle"

    @property
    def pid(self) -> int | None:
        """Return the id of the running process."""
        return self._link.pid if self._link is not None else None

    @property
    def standing(self) -> Standing | None:
        """How many actors do the work; None where the process does, or while there is none."""
        return self._link.standing if self._link is not None else None

    @property
    def parameters(self) -> int | None:
        """Size of the base model, once it is known; see `recipes.recipe_for`."""
        return self._about.parameters if self._about else None

    @property
    def device_bytes(self) -> int | None:
        """What the base takes of an accelerator's memory; None on a CPU, or while not known."""
        return self._about.device_bytes if self._about else None

    async def start(self) -> None:
        """Start the process and await that it is ready."""
        await self._ready_link()

    async def ask(
        self, work: Work, timeout_s: float, on_step: Callable[[Step], None] = lambda step: None
    ) -> Done:
        """Have work done, beside other; waiting for the process counts against `timeout_s`.

        Raises `NoTurnError` at once where too much waits already, `TrainerError` where it fails.
        """
        if len(self._in_flight) >= MOST_JOBS:
            told = f"the {self._called}'s queue is full: {MOST_JOBS} jobs are before this one"
            raise NoTurnError(told)
        now = asyncio.get_running_loop().time
        deadline = now() + timeout_s
        request_id = next(self._ids)
        self._in_flight.add(request_id)
        try:
            link = await self._link_by(deadline)
            soft = {"soft_s": SOFT * (deadline - now())} if isinstance(work, Train) else {}
            request = work.model_copy(update={"id": request_id, **soft})
            done = await self._converse(link, request, deadline, on_step)
        finally:
            self._in_flight.discard(request_id)
        self._failures, self._error = 0, None
        return done

    async def close(self) -> None:
        """End the process; the trainer is of no use afterwards."""
        self._closed = True
        for task in (self._starting, *self._settling, self._watching):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        if self._reaping is not None:
            await self._reaping
        if self._link is not None:
            await self._link.close()
            self._link = None

    async def _link_by(self, deadline: float) -> Link:
        """The running process, once no job that was given up keeps it."""
        try:
            async with asyncio.timeout_at(deadline):
                return await self._ready_link()
        except TimeoutError as error:
            told = f"the {self._called} was not ready before the time was up"
            raise TrainerError(told) from error

    async def _converse(
        self,
        link: Link,
        message: Work,
        deadline: float,
        on_step: Callable[[Step], None],
    ) -> Done:
        try:
            async with asyncio.timeout_at(deadline):
                return await link.call(message, on_step)
        except TimeoutError as error:
            self._give_up(link, message.id)  # slow, and perhaps in good health
            raise TrainerError(f"the {message.op} request outlasted its time") from error
        except TrainerError as error:
            if not link.alive:
                self._replace(link, str(error))
            raise
        except BaseException:  # cancelled, or what `on_step` raised
            self._give_up(link, message.id)
            raise

    def _give_up(self, link: Link, request_id: int) -> None:
        """Let the caller go at once; what is asked next waits until the worker has settled."""
        task = asyncio.create_task(self._settle(link, request_id))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _settle(self, link: Link, request_id: int) -> None:
        """Await that the worker gives a request up, or kill it."""
        try:
            async with asyncio.timeout(CANCEL_GRACE_S + 2 * link.pace_s):
                await link.cancel(request_id)
        except TimeoutError:
            self._replace(link, "it did not give a job up")
        except TrainerError as error:
            self._replace(link, str(error))

    def _replace(self, link: Link, cause: str) -> None:
        """Kill the process and start the next one, later with every failure in a row."""
        if self._link is not link:
            return  # two have noticed
        link.kill(cause)
        self._link = None
        self._fail(cause)
        self._reaping = asyncio.create_task(link.close())
        if not self._closed:
            self._starting = self._launch_task()

    def _fail(self, cause: str) -> None:
        self._failures += 1
        pause = pause_s(self._failures, FIRST_BACKOFF_S, MAX_BACKOFF_S)
        self._not_before = asyncio.get_running_loop().time() + pause
        self._error = cause

    async def _ready_link(self) -> Link:
        """The running process; starts it where there is none. Cancelling leaves the start be."""
        if self._closed:
            raise TrainerError(f"the {self._called} is closed")
        if self._persists and self._link is None and self._error:
            raise TrainerLostError(f"the {self._called} cannot start: {self._error}")
        if self._settling:  # once: where jobs are given up again and again, others have a turn too
            await asyncio.wait(self._settling)
        if self._link is not None and not self._link.alive:
            self._replace(self._link, "it died between two jobs")
        if self._link is not None:
            return self._link
        if self._starting is None:
            self._starting = self._launch_task()
        return await asyncio.shield(self._starting)

    def _launch_task(self) -> asyncio.Task[Link]:
        task = asyncio.create_task(self._launch())
        task.add_done_callback(self._launched)
        return task

    def _launched(self, task: asyncio.Task[Link]) -> None:
        if not task.cancelled() and task.exception() and self._persists and not self._closed:
            self._starting = self._launch_task()

    async def _launch(self) -> Link:
        if self._reaping is not None:  # its memory must be free before the next one loads
            await asyncio.shield(self._reaping)
        await asyncio.sleep(self._not_before - asyncio.get_running_loop().time())
        link = await Link.spawn(self._arguments, self._threads, self._worker, self._called)
        try:
            async with asyncio.timeout(self._start_timeout_s):
                self._about = await link.ready()
        except (TimeoutError, TrainerError) as error:
            await link.close()
            self._fail(str(error) or "it did not start in time")
            raise TrainerLostError(f"the {self._called} cannot start: {self._error}") from error
        except asyncio.CancelledError:
            await link.close()
            raise
        finally:
            self._starting = None
        self._link = link
        self._watching = asyncio.create_task(self._watch(link))
        return link

    async def _watch(self, link: Link) -> None:
        """Replace a process that has ended, or was stopped from outside."""
        was_stopped = False
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    cause = await link.ended()
                return self._replace(link, cause)
            except TimeoutError:
                if was_stopped and link.stopped:
                    return self._replace(link, "it was stopped")
                was_stopped = link.stopped

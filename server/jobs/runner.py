"""Runs the jobs of all tenants, one at a time, each in a process of its own.

Those that train need the device besides, which is the whole machine's (`device`): while others of
it have it, only what does not train is done.

A job is held while it is worked on (`memory.offline.jobs`): of several servers one does so, and
another goes on where it died.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import ParamSpec, TypeVar
from uuid import uuid4

import httpx

from adaptation import child
from memory.errors import WhetMemoryError
from memory.memory import LongTermMemory
from memory.offline.job import Job, JobKind, JobStatus, Wish
from server.config import Settings
from server.jobs.bridge import answer
from server.jobs.device import TRAINS, Lock, held, lock_of
from server.jobs.folders import drop_left
from server.jobs.scheduling import ask_for_due
from server.settings.database_url import secret_of
from server.waiting import set_within

logger = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

LOOK_S = 5.0
"""Between looks for jobs that nobody has told of, and at how the one under way does."""
OBEYS_S = 30.0
"""In which a process obeys its job's tenant, or a server that ends; it is killed after that."""
TRIES = 3
"""A job whose process was killed so often kills every other one too."""
KEPT_S = 90 * 86_400.0
"""How long a job that has ended is shown."""
SWEEP_S = 3600.0


class JobRunner:
    """Looks after jobs until it is cancelled."""

    def __init__(
        self,
        memory: LongTermMemory,
        settings: Settings,
        news: asyncio.Event,
        lock: Callable[[], Path],
        client_of: Callable[[str], httpx.AsyncClient],
    ) -> None:
        """`news` is set when there is a new job, or something new is wanted of one.

        `lock` is the device's; `client_of` asks this server in a tenant's name, for its jobs.
        """
        self._memory, self._jobs, self._settings, self._news = memory, memory.jobs, settings, news
        self._lock, self._client_of = lock, client_of
        self._name = f"runner-{uuid4().hex[:12]}"
        self._sweep_at = 0.0

    async def follow(self) -> None:
        """Work; whoever ends this has others go on with what was begun."""
        while True:
            self._news.clear()
            try:
                await self._work_off()
            except WhetMemoryError as error:
                logger.warning("jobs cannot be read: %s", error)
            except Exception:  # nobody awaits this: it must not die
                logger.exception("jobs could not be read or started; it is tried again")
            await set_within(self._news, LOOK_S)

    async def _work_off(self) -> None:
        """Do the jobs that wait, one after the other."""
        await self._sweep()
        await self._write(ask_for_due, self._memory, time.time())
        with held(lock_of(self._settings.data_dir, "jobs")) as folder:
            if folder.is_ours:
                with held(await asyncio.to_thread(self._lock)) as device:
                    await self._do_all(device)

    async def _do_all(self, device: Lock) -> None:
        kinds = [kind for kind in JobKind if self._may_do(kind, device)]
        while job := await self._write(self._jobs.claim, self._name, kinds):
            device.say(job.id)
            await self._run(job)

    def _may_do(self, kind: JobKind, device: Lock) -> bool:
        return device.is_ours or kind not in TRAINS

    async def _sweep(self) -> None:
        if time.monotonic() < self._sweep_at:
            return
        self._sweep_at = time.monotonic() + SWEEP_S
        await self._write(self._jobs.drop_ended, time.time() - KEPT_S)
        await self._write(drop_left, self._jobs, self._settings.data_dir)

    async def _run(self, job: Job) -> None:
        """Have a job done, however its process ends."""
        logger.info("job %s (%s) begins", job.id, job.kind)
        async with self._answered(job) as theirs:
            process = await self._started(job, theirs)
            theirs.close()
            try:
                await self._until_ended(job, process)
            except BaseException:
                await self._end(process)
                with suppress(WhetMemoryError):
                    await self._write(self._jobs.let_go, job.id, self._name)
                raise
        await self._noted(job, process.returncode or 0)

    @asynccontextmanager
    async def _answered(self, job: Job) -> AsyncIterator[socket.socket]:
        """Answer what the job asks in the block; yields its end of the way."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            async with self._client_of(job.tenant) as client:
                answering = asyncio.create_task(answer(ours, client))
                try:
                    yield theirs
                finally:
                    answering.cancel()
                    await asyncio.gather(answering, return_exceptions=True)

    async def _started(self, job: Job, way: socket.socket) -> asyncio.subprocess.Process:
        asks = str(way.fileno())
        words = child.command("server.jobs.worker", job.tenant, job.id, self._name, asks)
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.PIPE,
            env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
            start_new_session=True,
            pass_fds=(way.fileno(),),
        )
        assert process.stdin is not None
        process.stdin.write(told(self._settings))
        process.stdin.close()
        return process

    async def _until_ended(self, job: Job, process: asyncio.subprocess.Process) -> None:
        """Wait for the process; kill one that does not obey."""
        wanted_at: float | None = None
        while process.returncode is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await process.wait()
                return
            with suppress(WhetMemoryError):
                now = await self._memory.aside.reading.run(self._jobs.get, job.tenant, job.id)
                wanted_at = (wanted_at or time.monotonic()) if now.wanted else None
            if wanted_at is not None and time.monotonic() - wanted_at > OBEYS_S:
                logger.warning("job %s did not stop in time: its process is killed", job.id)
                with suppress(ProcessLookupError):
                    process.kill()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """Have the process leave its job to others, where it has not ended."""
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(OBEYS_S):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _noted(self, job: Job, status: int) -> None:
        """Look at what became of a job; one whose process said nothing is tried again twice."""
        now = await self._memory.aside.reading.run(self._jobs.get, job.tenant, job.id)
        held = await self._write(self._jobs.hold, job.id, self._name)
        if held is None:
            logger.info("job %s is %s", job.id, now.status)
            return
        times = await self._write(self._jobs.killed, job.id, self._name)
        why = f"its process ended with {status}"
        if held.wanted is Wish.CANCEL:
            await self._write(self._jobs.end, job.id, self._name, JobStatus.CANCELLED)
        elif times < TRIES or held.wanted is Wish.PAUSE:
            logger.warning("job %s: %s; it is tried again", job.id, why)
            await self._write(self._jobs.let_go, job.id, self._name)
        else:
            error = f"{why} {times} times: see the server's log"
            await self._write(self._jobs.end, job.id, self._name, JobStatus.FAILED, None, error)

    async def _write(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        return await self._memory.aside.writing.run(work, *arguments, **named)


def told(settings: Settings) -> bytes:
    """Return the settings for a process of ours, the database's password included."""
    url = secret_of(settings.database_url)
    shown = settings.model_dump(mode="json", exclude={"database_url"})
    return json.dumps({**shown, "database_url": url}).encode()

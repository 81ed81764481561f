"""A job that a command makes: done here and now, or left to the server."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from server.telling import telling
from server.terminal import AdvancePhase, CommandError, complain

if TYPE_CHECKING:
    from pathlib import Path

    from memory.memory import LongTermMemory
    from memory.offline.job import Job
    from server.config import Settings
    from server.jobs.device import Lock
    from server.jobs.work import OnProgress

LOOK_S = 1.0
"""Between two looks at a job that another does, or at a device that another has."""
QUIET_S = 30.0
"""Between two lines on a phase, where stderr is no terminal."""


def add_detach(parser: argparse.ArgumentParser) -> None:
    """Add the flag that leaves a job to the server."""
    parser.add_argument(
        "--detach",
        action="store_true",
        help="leave the job to the server of this data folder, and return at once",
    )


def say_detached(job: Job) -> int:
    """Say what was left to the server, and how to follow it."""
    print(job.id)
    if sys.stderr.isatty():
        complain(f"a running `whet serve` does it: `whet jobs logs {job.id} --follow`")
    return 0


def _with_unknown_totals(advance: AdvancePhase) -> OnProgress:
    """Return what tells of a bar how far a job is, whose total is 0 where it is not known."""
    return lambda phase, done, total: advance(phase, done, total or None)


def done_here(memory: LongTermMemory, settings: Settings, job: Job) -> dict[str, Any]:
    """Do a job in this process with its progress on stderr, and return what came of it.

    A server that was quicker does it: it is then waited for. Raises `CommandError` where it failed
    or was stopped; interrupted, it is cancelled.
    """
    from memory.errors import ConflictError
    from memory.offline.job import JobStatus, Wish

    try:
        with suppress(ConflictError), _device(memory, settings, job):
            _do(memory, settings, job)
        ended = _left(memory, job)
    except KeyboardInterrupt:
        with suppress(ConflictError):  # it has ended
            memory.jobs.ask(job.tenant, job.id, Wish.CANCEL)
        raise
    if ended.status is not JobStatus.SUCCEEDED:
        raise CommandError(ended.error or f"job {job.id} was stopped: it is {ended.status}")
    return ended.result or {}


@contextmanager
def _device(memory: LongTermMemory, settings: Settings, job: Job) -> Iterator[None]:
    """Have the device, and the jobs of this data folder, to oneself."""
    from server.jobs.device import device_name, lock_of

    name = device_name(settings.trainer_device)
    locks = (lock_of(settings.device_locks, name), lock_of(memory.data_dir, "jobs"))
    with ExitStack() as stack:
        for path in locks:
            stack.enter_context(_held_in_turn(memory, job, path, name)).say(job.id)
        yield


@contextmanager
def _held_in_turn(memory: LongTermMemory, job: Job, path: Path, name: str) -> Iterator[Lock]:
    """Hold a lock when it is free, and say for whom is waited.

    Raises `ConflictError` where the job is begun or stopped by somebody meanwhile.
    """
    from memory.errors import ConflictError
    from memory.offline.job import JobStatus
    from server.jobs.device import held, holder_of

    is_told = False
    while True:
        with held(path) as lock:
            if lock.is_ours:
                yield lock
                return
        if not is_told:
            other = holder_of(path) or "another job"
            complain(f"{other} is under way on {name} ({path}): this one waits for it to end")
            is_told = True
        now = memory.jobs.get(job.tenant, job.id).status
        if now is not JobStatus.QUEUED:
            raise ConflictError(f"job {job.id} is {now}")
        time.sleep(LOOK_S)


def _do(memory: LongTermMemory, settings: Settings, job: Job) -> None:
    """Do the job here; raises `ConflictError` where another has it, or had it."""
    from server.jobs.folders import folder_of
    from server.jobs.kinds import run_of
    from server.jobs.performing import perform
    from server.jobs.work import Work

    holder = f"command-{os.getpid()}-{uuid4().hex[:8]}"
    taken = memory.jobs.take(job.tenant, job.id, holder)
    with telling(QUIET_S) as advance:
        folder = folder_of(memory.data_dir, job.id)
        work = Work(taken, memory, settings, folder, holder, _with_unknown_totals(advance))
        asyncio.run(perform(work, run_of(job.kind)))


def _left(memory: LongTermMemory, job: Job) -> Job:
    """Return the job when nobody works on it any more."""
    from memory.offline.job import JobStatus

    while (now := memory.jobs.get(job.tenant, job.id)).status is JobStatus.RUNNING:
        time.sleep(LOOK_S)
    return now

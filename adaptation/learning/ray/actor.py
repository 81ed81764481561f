"""The trainer as a Ray actor: `ray.remote(TrainerActor)`; Ray itself is not imported here.

One actor is one resident base, with the loop, the batches and the arithmetic of the trainer's own
process (`training/worker.py`): jobs that are asked at once train together, and adapters are the
same to the last bit where the machine and the number of threads are.

    actor = ray.remote(TrainerActor).options(num_cpus=1, runtime_env=...).remote(seat)
    await actor.about.remote()                  → `Ready`, or `TrainerError`: no such model here
    await actor.ask.remote(work, files)         → `Outcome`; `work` is any of `messages.Work`
    await actor.steps.remote()                  → waits; the newest `Step` of each that took one
    await actor.cancel.remote(id)               → its `ask` ends at the next step, with `Failed`;
                                                  False: it has not come yet, and is not begun then

`work.id` is the caller's, and no two under way share one. Adapters travel as bytes, never as paths:
`files` (see `files.read_adapter`) is the parent that a job starts from, or the adapter that is
generated or measured under, and `Outcome.files` is what was trained. Paths inside of `work` are
ignored. `placement.options` makes the options, with the environment that equality needs;
`driver.trainers` does all of that in a process that has joined a cluster.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import threading
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from adaptation.errors import TrainerError
from adaptation.learning.leases import remove_orphans
from adaptation.learning.ray.files import PREFIX, Files, read_adapter, scratch, write_adapter
from adaptation.learning.ray.reply_process import ReplyProcess
from adaptation.learning.training.chat import Template
from adaptation.learning.training.messages import (
    Cancel,
    Done,
    Failed,
    Generate,
    Measure,
    Ready,
    Step,
    Train,
    Work,
)
from adaptation.learning.training.offline import offline_engine
from adaptation.learning.training.wire import Inbox
from adaptation.learning.training.worker import Worker, describe
from adaptation.pebble import model_path

BUILT_IN = "whet-pebble"
REMEMBERED = 256
"""Requests given up before they came: more than a driver has under way."""


@dataclass(frozen=True)
class Seat:
    """What an actor is to be."""

    model: str
    """A folder or a name that its host knows; `whet-pebble` is where Whet is installed."""
    template: Template
    """With the text of a source, not its file."""
    threads: int | None
    device: str
    replier: str | None = None
    """A module whose process replies, see `ReplyProcess`; None: the base's own decoder does."""

    @property
    def folder(self) -> str:
        """Where the model lies on its host, or its name."""
        return str(model_path()) if self.model == BUILT_IN else self.model


@dataclass(frozen=True)
class Outcome:
    """How one request ended."""

    reply: Done | Failed
    step: Step | None = None
    """Its last."""
    files: Files | None = None
    """The adapter, where one was trained."""


class TrainerActor:
    """A resident base, and what can be asked of it."""

    def __init__(self, seat: Seat) -> None:
        self._scratch = scratch()
        remove_orphans(self._scratch, PREFIX)
        self._about: Future[Ready | Failed] = Future()
        self._asked: dict[int, asyncio.Future[Done | Failed]] = {}
        self._given_up: deque[int] = deque(maxlen=REMEMBERED)
        """What had not come by then: Ray calls first what has all of its arguments first."""
        self._steps: dict[int, Step] = {}
        """The last of each request under way."""
        self._untold: set[int] = set()
        self._stepped = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reply_process: ReplyProcess | None = None
        if seat.replier is not None:
            how = seat.folder, seat.template, seat.device, seat.threads
            self._reply_process = ReplyProcess(offline_engine(seat.replier, *how))
        self._inbox = ActorInbox(self._said)
        threading.Thread(target=self._work, args=(seat,), daemon=True).start()

    async def about(self) -> Ready:
        """Await the base; raises `TrainerError` where it cannot be loaded."""
        found = await asyncio.wrap_future(self._about)
        if isinstance(found, Failed):
            raise TrainerError(found.error)
        return found

    async def pid(self) -> int:
        """Return the process that trains."""
        return os.getpid()

    async def ask(self, work: Work, files: Files | None = None) -> Outcome:
        """Have work done, beside other; what fails is told in the reply."""
        await self.about()
        self._loop = asyncio.get_running_loop()
        prefix = f"{PREFIX}{os.getpid()}-"
        with tempfile.TemporaryDirectory(prefix=prefix, dir=self._scratch) as folder:
            given, made = await asyncio.to_thread(folders, Path(folder), files)
            reply = await self._answer(placed(work, given, made))
            is_trained = isinstance(reply, Done) and reply.result is not None
            trained = await asyncio.to_thread(read_adapter, made) if is_trained else None
        return Outcome(reply, self._steps.pop(work.id, None), trained)

    async def steps(self) -> list[Step]:
        """Await progress; return the newest step of each request that took one since the last call.

        One caller at a time.
        """
        self._loop = asyncio.get_running_loop()
        await self._stepped.wait()
        self._stepped.clear()
        told, self._untold = self._untold, set()
        return [self._steps[each] for each in told if each in self._steps]

    async def cancel(self, request_id: int) -> bool:
        """Have a request given up at its next step.

        False where it is not under way: it has ended, or is not begun when it comes.
        """
        if request_id not in self._asked:
            self._given_up.append(request_id)
            return False
        if self._reply_process is None or not self._reply_process.cancel(request_id):
            self._inbox.put(Cancel(id=request_id))
        return True

    async def _answer(self, work: Work) -> Done | Failed:
        if work.id in self._given_up:
            return Failed(id=work.id, error="the job was cancelled")
        self._asked[work.id] = asyncio.get_running_loop().create_future()
        try:
            if self._reply_process is not None and isinstance(work, Generate):
                return await self._reply_process.ask(work, self._heard)
            self._inbox.put(work)
            return await self._asked[work.id]
        finally:
            del self._asked[work.id]

    def _work(self, seat: Seat) -> None:
        """Load the base and answer for ever; in a thread of its own."""
        options = argparse.Namespace(
            model=seat.folder,
            template=seat.template.model_dump_json(),
            threads=seat.threads,
            device=seat.device,
        )
        try:
            worker = Worker(self._inbox, options)
        except Exception as error:  # noqa: BLE001  the actor's boundary: who asks is told
            self._about.set_result(Failed(id=None, error=describe(error)))
            return
        try:
            worker.serve()
        except BaseException:  # noqa: BLE001  who asks would wait for ever; Ray starts it again
            traceback.print_exc()
            os._exit(1)

    def _said(self, reply: Ready | Step | Done | Failed) -> None:
        """Take what the worker says, from its thread."""
        if isinstance(reply, Ready):
            self._about.set_result(reply)
        else:
            assert self._loop is not None, "it was asked"
            self._loop.call_soon_threadsafe(self._heard, reply)

    def _heard(self, reply: Step | Done | Failed) -> None:
        if reply.id not in self._asked:
            return
        if isinstance(reply, Step):
            self._steps[reply.id] = reply
            self._untold.add(reply.id)
            self._stepped.set()
        elif not self._asked[reply.id].done():
            self._asked[reply.id].set_result(reply)


class ActorInbox(Inbox):
    """Requests of an actor; what is said goes to a function."""

    def __init__(self, told: Callable[[Ready | Step | Done | Failed], None]) -> None:
        super().__init__()
        self._told = told

    def say(self, reply: Ready | Step | Done | Failed) -> None:
        """Pass one reply on."""
        self._told(reply)


def folders(folder: Path, files: Files | None) -> tuple[Path | None, Path]:
    """Return the folder of what was given, if anything was, and an empty one for what is made."""
    given, made = folder / "given", folder / "made"
    made.mkdir()
    if files is None:
        return None, made
    given.mkdir()
    write_adapter(files, given)
    return given, made


def given_to(work: Work) -> str | None:
    """Return the folder of the adapter that work begins with, None where it is the bare base."""
    if isinstance(work, Train):
        return work.job.parent
    return work.adapter if isinstance(work, Generate | Measure) else None


def placed(work: Work, given: Path | None, made: Path) -> Work:
    """Return the same work on folders of this host."""
    adapter = None if given is None else str(given)
    if isinstance(work, Train):
        job = work.job.model_copy(update={"parent": adapter, "output_dir": str(made)})
        return work.model_copy(update={"job": job})
    if isinstance(work, Generate | Measure):
        return work.model_copy(update={"adapter": adapter})
    return work

"""The parent's end of one trainer process: spawn it, talk to it, end it.

One link is one life of the process; what happens after its death is `process.py`'s business.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Sequence

import psutil

from adaptation import child
from adaptation.errors import TrainerError, TrainerLostError
from adaptation.learning.training.messages import (
    REPLY,
    Cancel,
    Done,
    Failed,
    Ready,
    Step,
    Work,
)
from adaptation.learning.training.trainer import Standing

Reply = Step | Done | Failed
WORKER = "adaptation.learning.training.worker"
MAX_LINE_BYTES = 64 * 2**20
"""Longest reply; generated texts come in one line."""
REMEMBERED = 64
"""Silences; a step of many jobs ends in one word for each of them."""
STDERR_LINES = 20
"""Kept to say why a process died."""


class Link:
    """A running trainer process."""

    def __init__(self, process: asyncio.subprocess.Process, called: str = "trainer") -> None:
        self._process, self._called = process, called
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self._replies: dict[int, asyncio.Queue[Reply]] = {}
        """Replies to requests that have not been answered to their end, whoever awaits them."""
        self.standing: Standing | None = None
        """What was said last of the actors that do the work; None where it is done there."""
        self._ready: asyncio.Future[Ready | Failed] = asyncio.get_running_loop().create_future()
        self._silences_s: deque[float] = deque(maxlen=REMEMBERED)
        self._spoke = 0.0
        """When it last said something, or was last asked after a rest; by the loop's clock."""
        self._cause: str | None = None
        """Why it was killed, where that was done here."""
        self._listening = asyncio.create_task(self._listen())
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def spawn(
        cls,
        arguments: Sequence[str],
        threads: int | None,
        worker: str | None = None,
        called: str = "trainer",
    ) -> Link:
        """Start a worker (a module, `WORKER` if none is named) in a process group of its own.

        It is `called` so where its end is told.
        """
        process = await asyncio.create_subprocess_exec(
            *child.command(worker or WORKER, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=MAX_LINE_BYTES,
            env=environment(threads),
            start_new_session=True,
        )
        return cls(process, called)

    @property
    def pid(self) -> int:
        """Process id, and id of the process group."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.returncode is None and not self._reading.done()

    @property
    def stopped(self) -> bool:
        """Whether something has stopped the process: it lives, and does nothing."""
        try:
            return bool(psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)
        except psutil.NoSuchProcess:
            return False

    @property
    def pace_s(self) -> float:
        """How long it was silent at work lately, at most: it says something after every step."""
        return max(self._silences_s, default=0.0)

    async def ready(self) -> Ready:
        """Await the end of the start; raises `TrainerError` when there is none."""
        reply = await asyncio.shield(self._ready)
        if isinstance(reply, Failed):
            raise TrainerError(reply.error)
        return reply

    async def ended(self) -> str:
        """Await the end of the process, and return what became of it."""
        return await asyncio.shield(self._reading)

    async def call(self, request: Work, on_step: Callable[[Step], None]) -> Done:
        """Send `request` and await its reply; raises `TrainerError` when it fails."""
        if not self._replies:
            self._spoke = asyncio.get_running_loop().time()
        self._replies[request.id] = asyncio.Queue()
        await self._send(request)
        while True:
            reply = await self._reply_to(request.id)
            if isinstance(reply, Step):
                on_step(reply)
            elif isinstance(reply, Done):
                return reply
            else:
                raise (TrainerLostError if reply.is_lost else TrainerError)(reply.error)

    async def cancel(self, request_id: int) -> None:
        """Have the worker give its request up; returns when it has."""
        if request_id not in self._replies:
            return  # it was answered
        await self._send(Cancel(id=request_id))
        while isinstance(await self._reply_to(request_id), Step):
            pass

    def kill(self, cause: str | None = None) -> None:
        """End the whole process group at once, even a stopped one; `cause` is told to callers."""
        if self._process.returncode is not None:
            return  # reaped: its id may belong to another process by now
        self._cause = self._cause or cause
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    async def close(self) -> None:
        """Kill and reap, so that nothing of the process is left."""
        self.kill("it was closed")
        await self.ended()

    async def _send(self, request: Work | Cancel) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(request.model_dump_json().encode() + b"\n")
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            self.kill()
            raise TrainerLostError(await self.ended()) from error

    async def _reply_to(self, request_id: int) -> Reply:
        """Await what is said next to one request."""
        replies = self._replies[request_id]
        if self._reading.done() and replies.empty():
            raise TrainerLostError(self._reading.result())
        reply = await replies.get()
        if not isinstance(reply, Step):
            self._replies.pop(request_id, None)
        return reply

    async def _read(self) -> str:
        """Hand every reply to whoever awaits it; return what became of the process at its end."""
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):  # no reply, or a line too long
            while line := await self._process.stdout.readline():
                self._hand_out(REPLY.validate_json(line))
            return await self._reap()
        self.kill("it wrote what is no reply")
        while await self._process.stdout.read(2**16):
            pass
        return await self._reap()

    def _hand_out(self, reply: Ready | Standing | Reply) -> None:
        if isinstance(reply, Standing):
            self.standing = reply
        elif isinstance(reply, Ready) or reply.id is None:
            if not self._ready.done():
                self._ready.set_result(reply)
        elif reply.id in self._replies:
            now = asyncio.get_running_loop().time()
            self._silences_s.append(now - self._spoke)
            self._spoke = now
            self._replies[reply.id].put_nowait(reply)

    async def _reap(self) -> str:
        """Reap, and tell all who still wait."""
        self.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._listening
        await self._process.wait()
        became = self._what_became_of_it()
        for request_id, replies in self._replies.items():
            replies.put_nowait(Failed(id=request_id, error=became, is_lost=True))
        if not self._ready.done():
            self._ready.set_result(Failed(id=None, error=became))
        return became

    def _what_became_of_it(self) -> str:
        code = self._process.returncode or 0
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        last = self._cause or (self._stderr[-1] if self._stderr else "")
        return f"the {self._called} process died ({how})" + (f": {last}" if last else "")

    async def _listen(self) -> None:
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(2**16):
            self._stderr += [line for line in chunk.decode(errors="replace").splitlines() if line]


ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
    "MALLOC_TOP_PAD_": str(2**28),
}
"""Has the C library keep what is freed: a step asks for the same large pieces again and again, and
pages that come back from the system cost a tenth of it. The worker returns them when it is idle."""

SAME_BITS = {"MKL_CBWR": "AVX2"}
"""Has MKL sum a row alike whatever stands beside it, where it multiplies float32: on an EPYC with
AVX-512 its own choice of kernels goes by the sizes (MKL 2024.2 of torch 2.13.0), and a job's last
bits by who trains beside it. Products of bf16 are not MKL's."""


def environment(threads: int | None) -> dict[str, str]:
    """Return this process's environment with the trainer's number of threads."""
    env = {**ALLOCATOR, **SAME_BITS, **os.environ, "TOKENIZERS_PARALLELISM": "false"}
    env.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads starve an engine on this CPU
    return {**env, "OMP_NUM_THREADS": str(threads)} if threads else env

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
from adaptation.errors import TrainerError
from adaptation.training.messages import (
    REPLY,
    Cancel,
    Done,
    Failed,
    Ready,
    Step,
    Work,
)

WORKER = "adaptation.training.worker"
MAX_LINE_BYTES = 64 * 2**20
"""Longest reply; generated texts come in one line."""
STDERR_LINES = 20
"""Kept to say why a process died."""


class Link:
    """A running trainer process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self._listening = asyncio.create_task(self._listen())
        self._reading = asyncio.Lock()
        """A pipe has one reader at a time: one buried while a job waits for its reply has two."""

    @classmethod
    async def spawn(cls, arguments: Sequence[str], threads: int | None) -> Link:
        """Start a worker, in a process group of its own."""
        process = await asyncio.create_subprocess_exec(
            *child.command(WORKER, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=MAX_LINE_BYTES,
            env=_environment(threads),
            start_new_session=True,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """Process id, and id of the process group."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.returncode is None

    @property
    def stopped(self) -> bool:
        """Whether something has stopped the process: it lives, and does nothing."""
        try:
            return bool(psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)
        except psutil.NoSuchProcess:
            return False

    async def ready(self) -> Ready:
        """Await the end of the start; raises `TrainerError` when there is none."""
        reply = await self._receive()
        if isinstance(reply, Ready):
            return reply
        raise TrainerError(reply.error if isinstance(reply, Failed) else "the trainer babbles")

    async def call(self, request: Work, on_step: Callable[[Step], None]) -> Done:
        """Send `request` and await its reply; raises `TrainerError` when it fails."""
        await self._send(request)
        while True:
            reply = await self._reply_to(request.id)
            if isinstance(reply, Step):
                on_step(reply)
            elif isinstance(reply, Done):
                return reply
            else:
                raise TrainerError(reply.error)

    async def cancel(self, request_id: int) -> None:
        """Have the worker give its request up; returns when it listens again."""
        await self._send(Cancel(id=request_id))
        while isinstance(await self._reply_to(request_id), Step):
            pass

    def kill(self) -> None:
        """End the whole process group at once, even a stopped one."""
        if not self.alive:
            return  # reaped: its id may belong to another process by now
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    async def close(self) -> None:
        """Kill and reap."""
        self.kill()
        await self._drain()

    async def _drain(self) -> None:
        """Read the pipes to their end and reap, so that nothing of the process is left."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None:
            async with self._reading:
                while await self._process.stdout.read(2**16):
                    pass
        await asyncio.shield(self._listening)  # may be awaited again
        await self._process.wait()

    async def _send(self, request: Work | Cancel) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(request.model_dump_json().encode() + b"\n")
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise TrainerError(await self._epitaph()) from error

    async def _reply_to(self, request_id: int) -> Step | Done | Failed:
        """Await what is said to one request; what is said to one that was left is dropped."""
        while True:
            reply = await self._receive()
            if not isinstance(reply, Ready) and reply.id == request_id:
                return reply

    async def _receive(self) -> Ready | Step | Done | Failed:
        assert self._process.stdout is not None
        async with self._reading:
            line = await self._process.stdout.readline()
        if not line:
            raise TrainerError(await self._epitaph())
        return REPLY.validate_json(line)

    async def _epitaph(self) -> str:
        self.kill()
        await self._drain()
        code = self._process.returncode or 0
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        last = f": {self._stderr[-1]}" if self._stderr else ""
        return f"the trainer process died ({how}){last}"

    async def _listen(self) -> None:
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(2**16):
            self._stderr += [line for line in chunk.decode(errors="replace").splitlines() if line]


def _environment(threads: int | None) -> dict[str, str]:
    """This process's, with the thread count said early enough."""
    env = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
    env.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads starve an engine on this CPU
    return {**env, "OMP_NUM_THREADS": str(threads)} if threads else env

"""The parent's end of the process that has TRL: start it, answer it, end it.

One process is one training. Whoever cancels it has it killed; the next with the same folder goes on
from the last whole epoch.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from adaptation import child
from adaptation.errors import TrainerError
from adaptation.learning.preference.installed import check_installed
from adaptation.learning.preference.messages import (
    REPLY,
    Answered,
    Checkpoint,
    Grades,
    Measured,
    Order,
    Refused,
    Trained,
)

WORKER = "adaptation.learning.preference.worker"
MAX_LINE_BYTES = 64 * 2**20
"""Longest reply; the answers of a step come in one line."""
STDERR_LINES = 20
"""Kept to say why a process died."""
SILENT = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRL_EXPERIMENTAL_SILENCE": "1",
}
"""Nothing is fetched, nobody is told."""

OnMetrics: TypeAlias = Callable[[int, int, dict[str, float]], None]
"""(step, of how many, figures by TRL's names)."""
OnCheckpoint: TypeAlias = Callable[[Checkpoint], None]
GradeAll: TypeAlias = Callable[[Answered], Awaitable[Sequence[float]]]


async def train(
    order: Order,
    *,
    on_metrics: OnMetrics,
    on_checkpoint: OnCheckpoint = lambda checkpoint: None,
    grade: GradeAll | None = None,
    python: str = sys.executable,
) -> Trained:
    """Train in a process of `python`, which has TRL; what `grade` raises ends it.

    Raises `TrainerError` where TRL is missing, an example cannot be learned or the process dies.
    """
    await check_installed(python)
    order.folder.mkdir(parents=True, exist_ok=True)
    process = await _spawn(python, order.folder)
    said: deque[str] = deque(maxlen=STDERR_LINES)
    listening = asyncio.create_task(_listen(process, said))
    try:
        await _send(process, order.model_dump_json())
        return await _converse(process, on_metrics, on_checkpoint, grade)
    except EOFError as error:
        await listening
        raise TrainerError(_what_became_of_it(await process.wait(), said)) from error
    finally:
        _kill(process)
        await asyncio.gather(listening, process.wait())


async def _spawn(python: str, folder: Path) -> asyncio.subprocess.Process:
    env = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, **SILENT}
    env["HF_DATASETS_CACHE"] = str(folder / "datasets")
    return await asyncio.create_subprocess_exec(
        *child.command(WORKER, python=python),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=MAX_LINE_BYTES,
        env=env,
        start_new_session=True,
    )


async def _converse(
    process: asyncio.subprocess.Process,
    on_metrics: OnMetrics,
    on_checkpoint: OnCheckpoint,
    grade: GradeAll | None,
) -> Trained:
    """Hear the process to its result; raises `EOFError` where it ends without one."""
    assert process.stdout is not None
    while line := await process.stdout.readline():
        reply = REPLY.validate_json(line)
        if isinstance(reply, Measured):
            on_metrics(reply.step, reply.total, reply.figures)
        elif isinstance(reply, Checkpoint):
            on_checkpoint(reply)
        elif isinstance(reply, Answered):
            assert grade is not None, "only reinforcement asks for grades"
            scores = tuple(await grade(reply))
            await _send(process, Grades(scores=scores).model_dump_json())
        elif isinstance(reply, Refused):
            raise TrainerError(reply.error)
        else:
            return reply
    raise EOFError


async def _send(process: asyncio.subprocess.Process, line: str) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # its end is heard next
        process.stdin.write(line.encode() + b"\n")
        await process.stdin.drain()


async def _listen(process: asyncio.subprocess.Process, said: deque[str]) -> None:
    assert process.stderr is not None
    while chunk := await process.stderr.read(2**16):
        said += [line for line in chunk.decode(errors="replace").splitlines() if line.strip()]


def _kill(process: asyncio.subprocess.Process) -> None:
    """End the whole process group, unless it was reaped: its id may be another's by now."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _what_became_of_it(code: int, said: Sequence[str]) -> str:
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
    return f"the TRL process died ({how})" + (f": {said[-1]}" if said else "")

"""A few processes of one module, asked from an event loop.

For questions that an input can prolong at will, or whose answer never lets go of the interpreter:
whatever they do, they do it elsewhere, and one that runs out of time ends its process alone.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from queue import LifoQueue
from typing import Any

from adaptation.workers.worker_process import WorkerProcess


class WorkerPool:
    """Asks as many questions at once as there are processes; the first question starts one."""

    def __init__(self, module: str, processes: int) -> None:
        self._all = [WorkerProcess(module) for _ in range(processes)]
        self._free: LifoQueue[WorkerProcess] = LifoQueue()
        for worker in self._all:
            self._free.put(worker)
        # Threads of its own: those of the event loop save answers and read memory.
        self._threads = ThreadPoolExecutor(processes, module.rpartition(".")[2])

    async def ask(self, question: object, patience_s: float) -> Any:
        """Return the reply to `question`; both are JSON.

        Raises WorkerDiedError where the process ended over it, and TimeoutError after `patience_s`:
        too many ask.
        """
        line = json.dumps(question).encode() + b"\n"
        async with asyncio.timeout(patience_s):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._ask, line)

    def _ask(self, line: bytes) -> Any:
        worker = self._free.get()
        try:
            return json.loads(worker.ask(line))
        finally:
            self._free.put(worker)

    def close(self) -> None:
        """End threads and processes."""
        for worker in self._all:
            worker.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

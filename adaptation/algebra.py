"""Whether two formulas are equal, asked of math-verify in processes that may be killed.

Simplifying a formula can take hours, and a sample's text is not ours. `algebra_worker.py` runs in
the processes; the first question starts one, in about a second.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import LifoQueue

from adaptation.answers.quantity import parse_quantity
from adaptation.answers.symbolic import Formula, as_formula
from adaptation.worker_process import WorkerDiedError, WorkerProcess

PROCESSES = 2
TIME_LIMIT_S = 1.0
"""Per question. An ordinary one takes some ten milliseconds."""
PATIENCE_S = 3.0
"""Until a question that still waits for its turn is given up."""


class Algebra:
    """Compares formulas, as many at once as there are processes."""

    def __init__(self, processes: int = PROCESSES, time_limit_s: float = TIME_LIMIT_S) -> None:
        self._time_limit_s = time_limit_s
        self._free: LifoQueue[WorkerProcess] = LifoQueue()
        self._all = [WorkerProcess("adaptation.algebra_worker") for _ in range(processes)]
        for worker in self._all:
            self._free.put(worker)
        # Threads of its own: those of the event loop save answers and read memory.
        self._threads = ThreadPoolExecutor(processes, "algebra")

    async def find(self, text: str, among: Sequence[str]) -> int | None:
        """Return the place of the first answer in `among` that equals `text`.

        None where there is none, or where it cannot be told in time.
        """
        formula = as_formula(text)
        if formula is None:
            return None
        rivals = {p: rival for p, other in enumerate(among) if (rival := _rival(formula, other))}
        if not rivals:
            return None
        question = [self._time_limit_s, formula.latex, list(rivals.values())]
        asking = asyncio.get_running_loop().run_in_executor(self._threads, self._ask, question)
        try:
            found = await asyncio.wait_for(asking, self._time_limit_s + PATIENCE_S)
        except TimeoutError:
            return None
        return None if found is None else list(rivals)[found]

    def _ask(self, question: list[object]) -> int | None:
        worker = self._free.get()
        try:
            found: int | None = json.loads(worker.ask(json.dumps(question).encode() + b"\n"))
            return found
        except WorkerDiedError:
            return None
        finally:
            self._free.put(worker)

    def close(self) -> None:
        """End threads and processes."""
        for worker in self._all:
            worker.close()
        self._threads.shutdown(wait=False, cancel_futures=True)


def _rival(formula: Formula, other: str) -> str | None:
    """Return `other` as LaTeX where it may equal `formula`: of its kind, or a number."""
    rival = as_formula(other)
    if rival is not None:
        return rival.latex if rival.kind == formula.kind else None
    number = parse_quantity(other)
    is_bare = number is not None and not number.unit
    return other if is_bare and formula.kind == "expression" else None

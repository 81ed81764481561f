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
        asked = formula or _as_number(text)
        if asked is None:
            return None
        # Two numbers were compared by their keys: of these a process has nothing to tell.
        others = ((p, as_formula(o) or (formula and _as_number(o))) for p, o in enumerate(among))
        rivals = {p: other.latex for p, other in others if other and other.kind == asked.kind}
        if not rivals:
            return None
        question = [self._time_limit_s, asked.latex, list(rivals.values())]
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


def _as_number(text: str) -> Formula | None:
    """Return a number without a unit as what may equal an expression."""
    number = parse_quantity(text)
    return Formula(text, "expression") if number is not None and not number.unit else None

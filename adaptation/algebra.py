"""Whether two formulas are equal, asked of math-verify in processes that may be killed.

Simplifying a formula can take hours, and a sample's text is not ours. `algebra_worker.py` runs in
the processes; the first question starts one, in about a second.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from queue import LifoQueue

from adaptation.answers.symbolic import as_formula
from adaptation.worker_process import WorkerDiedError, WorkerProcess

PROCESSES = 2
TIME_LIMIT_S = 1.0
"""Per question. An ordinary one takes some ten milliseconds."""


class Algebra:
    """Compares formulas; thread-safe."""

    def __init__(self, processes: int = PROCESSES, time_limit_s: float = TIME_LIMIT_S) -> None:
        self._time_limit_s = time_limit_s
        self._free: LifoQueue[WorkerProcess] = LifoQueue()
        self._all = [WorkerProcess("adaptation.algebra_worker") for _ in range(processes)]
        for worker in self._all:
            self._free.put(worker)

    def find(self, text: str, among: Sequence[str]) -> int | None:
        """Return the place of the first answer in `among` that equals `text`.

        None where there is none, or where it cannot be told in time.
        """
        formula = as_formula(text)
        candidates = [(place, as_formula(other) or other) for place, other in enumerate(among)]
        if formula is None or not candidates:
            return None
        question = [self._time_limit_s, formula, [other for _, other in candidates]]
        worker = self._free.get()
        try:
            found = json.loads(worker.ask(json.dumps(question).encode() + b"\n"))
        except WorkerDiedError:
            return None
        finally:
            self._free.put(worker)
        return None if found is None else candidates[found][0]

    def close(self) -> None:
        """End the processes; the next question starts one."""
        for worker in self._all:
            worker.close()

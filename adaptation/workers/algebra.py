"""Whether two formulas are equal, asked of math-verify in processes that may be killed.

Simplifying a formula can take hours, and a sample's text is not ours. `algebra_worker.py` runs in
the processes; the first question starts one, in about a second.
"""

from __future__ import annotations

from collections.abc import Sequence

from adaptation.workers.worker_loop import BY_CLOCK
from adaptation.workers.worker_pool import WorkerPool
from adaptation.workers.worker_process import WorkerDiedError
from memory.identity.answers.canonical import read_value
from memory.identity.answers.fold import undecorate
from memory.identity.answers.symbolic import Formula, as_formula, mixes_cases

PROCESSES = 2
TIME_LIMIT_S = 1.0
"""Processor time for one question. An ordinary one takes some ten milliseconds."""
PATIENCE_S = 3.0
"""Until a question that still waits for its turn is given up."""


class Algebra:
    """Compares formulas, as many at once as there are processes."""

    def __init__(self, processes: int = PROCESSES, time_limit_s: float = TIME_LIMIT_S) -> None:
        self._time_limit_s = time_limit_s
        self._pool = WorkerPool("adaptation.workers.algebra_worker", processes)

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
        rivals = {p: other.latex for p, other in others if other and _may_equal(other, asked)}
        if not rivals:
            return None
        question = [self._time_limit_s, asked.latex, list(rivals.values())]
        try:
            found = await self._pool.ask(question, BY_CLOCK * self._time_limit_s + PATIENCE_S)
        except (TimeoutError, WorkerDiedError):
            return None
        return None if found is None else list(rivals)[found]

    def close(self) -> None:
        """End threads and processes."""
        self._pool.close()


def _may_equal(one: Formula, other: Formula) -> bool:
    """Whether they are of one kind, and not of two symbols: `y = x²` is no `z = x²`, `R` no `r`."""
    symbols = {one.symbol, other.symbol} - {""}
    return one.kind == other.kind and len(symbols) < 2 and not mixes_cases(one, other)


def _as_number(text: str) -> Formula | None:
    """Return a number without a unit as what may equal an expression."""
    found = read_value(undecorate(text))
    is_number = found is not None and found.number is not None and not found.unit
    return Formula(text, "expression", found.symbol) if found and is_number else None

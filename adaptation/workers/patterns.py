"""The answer that a caller's regular expression finds: asked of processes that may be killed.

A pattern may backtrack for ever or fill the memory, and `regex` holds the interpreter meanwhile.
`pattern_worker.py` runs in the processes; the first question starts one, in half a second.
"""

from __future__ import annotations

import functools
from contextlib import suppress

from adaptation.workers.worker_pool import WorkerPool
from adaptation.workers.worker_process import WorkerDiedError
from memory.identity.answers import Answer

PROCESSES = 2
PATIENCE_S = 20.0
"""Until a question that still waits for its turn is given up."""


@functools.cache
def _pool() -> WorkerPool:
    return WorkerPool("adaptation.workers.pattern_worker", PROCESSES)


async def find(pattern: str, text: str) -> Answer | None:
    """Return the answer; None where there is none, or none in time."""
    with suppress(TimeoutError, WorkerDiedError):
        found = await _pool().ask([pattern, text], PATIENCE_S)
        if found is not None:
            return Answer(found[0], found[1], structured=True)
    return None

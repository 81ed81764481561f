"""What is wrong with a caller's tests, schema or document: asked of processes that may be killed.

References may multiply without end, patterns may backtrack for ever, and the parser of Python never
lets go of the interpreter: none of this may run in the server's process, on whatever thread.
`check_process.py` runs in the processes; the first question starts one, in half a second.
"""

from __future__ import annotations

import functools

from adaptation.errors import VerifierError
from adaptation.workers.worker_pool import WorkerPool
from adaptation.workers.worker_process import WorkerDiedError, WorkerNotStartedError

PROCESSES = 2
TIME_LIMIT_S = 1.0
"""Per question. An ordinary one takes some milliseconds."""
PATIENCE_S = 20.0
"""Until a question that still waits for its turn is given up."""


@functools.cache
def _pool() -> WorkerPool:
    return WorkerPool("adaptation.verifiers.check_process", PROCESSES)


async def tests_problem(tests: str) -> str | None:
    """Return why `tests` cannot be run; raises CannotCheckError."""
    return await _ask("tests", tests)


async def program_problem(program: str) -> str | None:
    """Return why `program` is no grader; raises CannotCheckError."""
    return await _ask("program", program)


async def schema_problem(schema: str) -> str | None:
    """Return why the JSON `schema` is no JSON schema; raises CannotCheckError."""
    return await _ask("schema", schema)


async def mismatch(document: str, schema: str) -> str | None:
    """Return where the JSON `document` departs from `schema`; raises CannotCheckError."""
    return await _ask("mismatch", document, schema)


class CannotCheckError(Exception):
    """The question has no answer in time; the message says why."""


async def _ask(question: str, *arguments: str) -> str | None:
    try:
        found: str | None = await _pool().ask([TIME_LIMIT_S, question, *arguments], PATIENCE_S)
    except WorkerNotStartedError as error:
        raise VerifierError(f"verifiers cannot be checked now: {error}") from error
    except WorkerDiedError as error:
        raise CannotCheckError(str(error)) from error
    except TimeoutError as error:
        raise VerifierError("too many verifiers are being checked; try again") from error
    return found

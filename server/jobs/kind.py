"""What a kind of job is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from server.jobs.work import Work

Run: TypeAlias = Callable[[Work], Awaitable[dict[str, Any]]]
"""Does a job, and returns what came of it. It may be cancelled wherever it waits, and then leaves
in the job's folder what whoever goes on needs."""


class JobFailedError(Exception):
    """The job cannot be done; the message says why."""

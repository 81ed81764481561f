"""A job as it is remembered: offline work that somebody asked for, and how far it is.

It goes `queued` → `running` → `succeeded` or `failed`. It may be `paused`, from where it is queued
again, or `cancelled`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from memory.types import Frozen


class JobKind(StrEnum):
    """What is to be done."""

    DISTILL = "distill"
    FINE_TUNE = "fine-tune"
    EVALUATE = "evaluate"
    TUNE = "tune"
    REINDEX = "reindex"
    IMPORT = "import"
    PRACTISE = "practise"


class JobStatus(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.PAUSED)
"""There is still something to be done."""


class Wish(StrEnum):
    """What its tenant wants of a job that is not done."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"


class Progress(Frozen):
    """How far a running job is."""

    phase: str
    done: int
    total: int
    """0: not known."""
    began_at: float | None = None
    """When the phase began; Unix seconds."""
    began: int = 0
    """How much of it was done by then."""


class NewJob(Frozen):
    """What makes a job."""

    tenant: str
    kind: JobKind
    request: dict[str, Any]
    id: str | None = None
    """None: one is made."""


class Job(Frozen):
    """A job as it is remembered; times are Unix seconds."""

    id: str
    tenant: str
    kind: JobKind
    status: JobStatus
    request: dict[str, Any]
    """What was asked, in its kind's own form."""
    result: dict[str, Any] | None = None
    """What came of it so far, in its kind's own form."""
    error: str | None = None
    """Why it failed."""
    progress: Progress | None = None
    wanted: Wish | None = None
    """What whoever works on it has yet to obey."""
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is still something to be done."""
        return self.status in OPEN


class NewEvent(Frozen):
    """What is to be told of a job."""

    message: str
    level: Literal["info", "warn", "error"] = "info"
    type: Literal["message", "metrics"] = "message"
    data: dict[str, Any] | None = None


class JobEvent(NewEvent):
    """What was told of a job."""

    id: str
    at: float
    """Unix seconds."""

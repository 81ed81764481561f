"""A batch as it is remembered.

It goes `validating` → `in_progress` → `finalizing` → `completed`. It may be `failed` for its input,
`cancelled` by its client or `expired` with its time; what was answered by then stands.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from memory.types import Frozen


class Status(StrEnum):
    """How far a batch is."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


OPEN = (Status.VALIDATING, Status.IN_PROGRESS, Status.FINALIZING, Status.CANCELLING)
"""There is still something to be done."""


class BatchDetails(Frozen):
    """What the client gave, and what came of it."""

    metadata: dict[str, str] | None = None
    completion_window: str = "24h"
    output_expires_s: float | None = None
    """How long the files that come of it are kept; None: until they are deleted."""
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: list[dict[str, Any]] = Field(default_factory=list)
    """What is wrong with the input."""


class Batch(Frozen):
    """A batch as it is remembered; times are Unix seconds."""

    id: str
    tenant: str
    endpoint: str
    input_file_id: str
    status: Status
    details: BatchDetails
    moments: dict[str, float]
    """When it came to each status."""
    total: int = 0
    completed: int = 0
    failed: int = 0
    expires_at: float


class NewBatch(Frozen):
    """What makes a batch."""

    tenant: str
    endpoint: str
    input_file_id: str
    details: BatchDetails
    seconds: float
    """From now until it expires."""


class Answer(Frozen):
    """What became of one request."""

    line: int
    """Line of the input file, from 1."""
    failed: bool
    content: bytes
    """A line for the file of answers, or of errors, without its end."""

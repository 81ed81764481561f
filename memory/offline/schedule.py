"""A schedule as it is remembered: a job that is asked for by itself, again and again."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from memory.offline.job import JobKind
from memory.types import Frozen


class NewSchedule(Frozen):
    """What makes a schedule; with neither `cron` nor `least_records` it would never rest."""

    tenant: str
    kind: JobKind
    request: dict[str, Any]
    """What its jobs are asked, in their kind's own form."""
    cron: str | None = None
    """Five fields, in UTC; None: at any time."""
    least_records: int | None = Field(default=None, ge=1)
    """Records that may train and are new since the last job, below which none is begun."""
    next_at: float
    """When it is looked at next, in Unix seconds."""


class Schedule(NewSchedule):
    """A schedule as it is remembered; times are Unix seconds."""

    id: str
    seen: int
    """The number of the record after which others are new."""
    last_job: str | None = None
    created_at: float

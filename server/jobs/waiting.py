"""For whom a job waits that is queued: what works on its device, as far as its tenant may know."""

from __future__ import annotations

from pathlib import Path

from memory.errors import NotFoundError
from memory.offline.job import Job, JobStatus
from memory.offline.jobs import JobStore
from server.jobs.device import TRAINS, holder_of

ANOTHER = "another job on this device"
"""Said where the job is another tenant's, or stands in another database."""


def waits_for(jobs: JobStore, lock: Path, job: Job) -> str | None:
    """Return for whom a job waits: the id of one of its tenant's, or `ANOTHER`.

    `lock` is that of the device; None: it waits for nobody.
    """
    if job.status is not JobStatus.QUEUED or job.kind not in TRAINS:
        return None
    held_by = holder_of(lock)
    if held_by is None:
        return None
    try:
        return jobs.get(job.tenant, held_by).id
    except NotFoundError:
        return ANOTHER

"""When a job will probably be done."""

from __future__ import annotations

import time

from memory.offline.job import Job, JobStatus


def finish_of(job: Job) -> int | None:
    """Return Unix seconds, None where nothing is known: judged by the phase that it is at.

    A phase that has just begun says nothing, and what follows it is not counted.
    """
    if job.status is not JobStatus.RUNNING or job.progress is None or job.started_at is None:
        return None
    done, total = job.progress.done, job.progress.total
    if not 0 < done <= total:
        return None
    passed = time.time() - job.started_at
    return int(job.started_at + passed * total / done)

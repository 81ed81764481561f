"""When a job will probably be done."""

from __future__ import annotations

import time

from memory.offline.job import Job, JobStatus


def finish_of(job: Job) -> int | None:
    """Return Unix seconds, None where nothing is known: judged by the phase that it is at.

    A phase that has just begun says nothing, and what follows it is not counted.
    """
    now = job.progress
    if job.status is not JobStatus.RUNNING or now is None or now.began_at is None:
        return None
    if not now.began < now.done <= now.total:
        return None
    each_s = (time.time() - now.began_at) / (now.done - now.began)
    return int(time.time() + each_s * (now.total - now.done))
